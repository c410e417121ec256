"""What attacks leave of detection and identity."""
