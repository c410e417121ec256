"""The whole job: the impersonations of a person, ranked."""
