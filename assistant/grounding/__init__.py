"""Grounding: checks a model's sentences, fills in citations and repairs refused sentences."""
