"""Killed processes, damaged indexes, full disks and lost writes."""
