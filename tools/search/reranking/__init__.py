"""Reranking: leading hits are read again, measured further and assessed again."""
