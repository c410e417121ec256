"""Whether a JPEG was compressed more than once, on the same grid of blocks or on a shifted one."""
