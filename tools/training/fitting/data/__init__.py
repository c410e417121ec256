"""What a person gives to learn from: pictures, who is in them, and which part they belong to."""
