"""Prompt injection: hostile text in every input, through the real pipeline."""
