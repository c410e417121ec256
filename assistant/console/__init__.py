"""The terminal: results on stdout, progress and remarks on stderr."""
