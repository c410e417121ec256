"""Whether two pictures are the same photograph, proven by aligning them."""
