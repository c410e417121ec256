"""What a model may say: its sentences checked, citations filled in, refused ones repaired."""
