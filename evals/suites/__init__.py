"""Evaluation suites, one folder per question."""
