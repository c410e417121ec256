"""The report as data: question, exhibits, findings, methods, limits and custody."""
