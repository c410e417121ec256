"""What detectors know of who somebody is."""
