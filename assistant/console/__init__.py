"""Terminal output: results on stdout, progress and remarks on stderr."""
