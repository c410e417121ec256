"""The closer look at leading hits: read again, measured further, judged again."""
