"""Reports of findings as HTML, PDF, JSON and CSV; pages of checked photos; pictures and maps."""
