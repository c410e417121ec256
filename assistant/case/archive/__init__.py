"""Cases as bundles: one file with record, originals, hashes and a signature; and back again."""
