"""How the heads behind the model's impression were trained."""
