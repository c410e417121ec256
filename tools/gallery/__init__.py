"""The gallery: a record store (SQLite), a vector index (Chroma), and the job that fills both."""
