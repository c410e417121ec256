"""Detectors that read the features of a CLIP encoder."""
