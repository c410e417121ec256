"""Evaluations: one suite per question; `python -m evals list` shows them."""
