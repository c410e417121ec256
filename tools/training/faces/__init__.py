"""Training of the face detector, the landmark model and the face embedders."""
