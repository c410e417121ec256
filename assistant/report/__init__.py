"""Findings as pages: the report, maps over faces, pictures embedded."""
