"""The model's impression of a picture: attributes named by a network, worded by the application."""
