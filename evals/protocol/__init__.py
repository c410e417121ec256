"""Who is asked for, in which gallery, and what counts as found."""
