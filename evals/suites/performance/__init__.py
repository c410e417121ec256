"""Speed, size and durability of the application."""
