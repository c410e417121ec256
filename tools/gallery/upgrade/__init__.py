"""Bring a gallery to another face embedder: read its files again, keep a draft, swap at the end."""
