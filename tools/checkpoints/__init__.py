"""Checkpoints: table of weights, their locations, integrity checks and downloads."""
