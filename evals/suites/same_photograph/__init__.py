"""Recognition of the same photograph, and false matches."""
