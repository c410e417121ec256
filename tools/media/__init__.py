"""Image, animation and video files: type detection, safe decoding, hashing, private permissions."""
