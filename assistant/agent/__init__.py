"""The agent: a person's words in, typed steps out; tools are called until it can answer."""
