"""Training scripts of the models in the pocket profile: one runnable module per model."""
