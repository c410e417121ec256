"""Folders locked at rest: their files in one encrypted archive, in the age format."""
