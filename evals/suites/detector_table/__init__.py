"""Every detector against every family of forgeries."""
