"""Trains the forgery detectors that are neither the encoder nor its plain heads."""
