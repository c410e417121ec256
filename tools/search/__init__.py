"""Search a gallery for a person: query, ranked hits, assessment and explanation."""
