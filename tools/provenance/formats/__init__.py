"""The raw parts of picture files: JPEG segments, PNG texts, EXIF and XMP, read within limits."""
