"""Benchmark table: every detector on every family of forgeries."""
