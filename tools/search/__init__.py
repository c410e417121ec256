"""The search: a query against a gallery, to ranked, assessed and explained hits."""
