"""Work that the server does for its users: one computation at a time, jobs and cases by owner."""
