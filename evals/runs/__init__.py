"""A run of a suite: kept, gated, compared, tracked, shown as a page."""
