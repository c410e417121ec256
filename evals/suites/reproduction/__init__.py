"""Reproduction of the project's first experiment."""
