"""Evaluation protocol: measured data sets, queries, galleries and relevance."""
