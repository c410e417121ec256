"""Requests in free English: what is asked (`reader`), about what (`slots`), and what answers it
(`planning`)."""
