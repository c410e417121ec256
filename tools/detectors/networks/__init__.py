"""Detectors that are networks of their own."""
