"""Speed and size of the application."""
