"""Detectors on the pretrained CLIP tower: samples, features, heads."""
