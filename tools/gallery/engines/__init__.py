"""Engines that find a face's nearest neighbours: a file of vectors, Chroma, or an index server."""
