"""Training of the adapters by which a small language model reads requests."""
