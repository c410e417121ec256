"""Odd picture files: camera raws, deep samples, and damage that can be repaired."""
