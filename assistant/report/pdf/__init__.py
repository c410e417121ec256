"""A report as a PDF file: fonts, page furniture, hits and sections."""
