"""Robustness of detection and identification under attacks."""
