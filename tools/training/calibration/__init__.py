"""Fits what turns scores into probabilities: the verdict rule, and every detector's calibration."""
