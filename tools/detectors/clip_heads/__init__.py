"""Detectors on the features of a CLIP encoder: linear, k-NN, prompts, adapters, patches."""
