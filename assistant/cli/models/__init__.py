"""Commands about model files: `unmask models` and `unmask setup`."""
