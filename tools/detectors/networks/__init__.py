"""Detectors with a network of their own: image classifiers, Community Forensics, SBI, CADDM."""
