"""The suites: one folder a question."""
