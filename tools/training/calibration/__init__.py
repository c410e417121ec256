"""Calibration: fits the verdict rule and the calibration of every detector."""
