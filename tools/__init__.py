"""What the assistant can do; each part is usable alone from Python."""
