"""Plans by subject: decisions, lists of hits, and which hit is the likelier forgery."""
