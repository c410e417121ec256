"""The full search: a person's impersonations, ranked."""
