"""Identity leakage: identity information in the detectors' features."""
