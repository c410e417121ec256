"""What happens on the page: events in, updates of its components out."""
