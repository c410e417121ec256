"""Training loops and optimisers, and how a trained network becomes a file."""
