"""The case record: a signed chain of every step, and its verification."""
