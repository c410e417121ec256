"""Check photos without a gallery: was a face forged, where, and is it a given person's?"""
