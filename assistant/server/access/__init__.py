"""Who may use the server: tokens, logins, limits, and the gate in front of everything."""
