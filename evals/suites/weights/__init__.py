"""Measurements of the shipped weights, on the data that they are documented with."""
