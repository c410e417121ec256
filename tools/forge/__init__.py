"""The forge: makes forgeries with ground-truth masks, from reproducible recipes."""
