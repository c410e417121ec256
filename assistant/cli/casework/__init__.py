"""The commands about recorded cases: `unmask cases` and `review`, and how a turn is printed."""
