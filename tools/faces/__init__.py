"""Faces of photographs: found, aligned, rated and embedded."""
