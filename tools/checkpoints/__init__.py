"""Checkpoints: which there are, where they lie, whether they are intact, how to get them."""
