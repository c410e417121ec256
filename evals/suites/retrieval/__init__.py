"""Face retrieval: finding a person by the face alone."""
