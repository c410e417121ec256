"""CLIP image encoder: preprocessing, image features and patch features."""
