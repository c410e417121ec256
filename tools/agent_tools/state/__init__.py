"""The state of a workspace, part by part: each holds one kind of thing, by handle."""
