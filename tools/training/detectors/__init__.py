"""Training of the forgery detectors other than the encoder and its linear heads."""
