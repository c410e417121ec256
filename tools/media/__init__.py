"""Pictures, animations and videos as files: told apart, opened safely, hashed, kept private."""
