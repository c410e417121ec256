"""Trains the image encoder, and the heads that read its features."""
