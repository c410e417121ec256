"""The forge: forgeries with ground truth, by recipe."""
