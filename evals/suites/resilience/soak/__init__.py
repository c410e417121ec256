"""Many people at one page for a long time, and what happens when a server behind it is gone."""
