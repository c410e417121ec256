"""Face detection, landmarks, alignment, quality and embeddings."""
