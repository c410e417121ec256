"""Parts of a gallery's record: its statements, embeddings, fingerprint and soundness."""
