"""The pictures of a report: faces with boxes and numbers, maps, versions, as data URIs."""
