"""Decoding of unusual files in a process that has limits and may die."""
