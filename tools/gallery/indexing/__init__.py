"""The indexing job: find files, read ahead, analyse in batches, commit to record and index."""
