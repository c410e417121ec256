"""Calibration of the verdict rule's probabilities."""
