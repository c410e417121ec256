"""Training data: sources, collection, augmentation and batches."""
