"""Provenance: what a file says about its own origin, and where it contradicts itself.

`reading.read_provenance` reads a file and returns findings, typed records. No model is involved,
nothing is fetched, and no finding takes part in a verdict: anyone can write or remove metadata.
"""
