"""The gallery: the record store, the vector index beside it, and the job that fills both."""
