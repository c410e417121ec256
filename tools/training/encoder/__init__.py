"""Training of the image encoder and of the detector heads on its features."""
