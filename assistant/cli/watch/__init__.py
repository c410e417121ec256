"""`unmask watch`: folders are indexed as files come, and new hits are reported once."""
