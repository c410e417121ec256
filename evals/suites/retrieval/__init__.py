"""Finding a person by the face alone."""
