"""Trains the face detector, the landmark model and the face embedders."""
