"""Detect whether two pictures are the same photograph, proven by aligning them."""
