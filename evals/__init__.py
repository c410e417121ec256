"""Measurements, one question a file; `python -m evals list`."""
