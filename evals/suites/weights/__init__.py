"""Evaluations of the shipped weights, on their documented data."""
