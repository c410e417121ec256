"""Videos, animations and multi-page documents: recognised, and sampled as frames."""
