"""HTML report of findings: the page, maps over faces, embedded pictures."""
