"""The REST API: routes, their shapes, and errors as problem+json."""
