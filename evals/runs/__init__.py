"""Runs of a suite: storage, regression gate, comparison, tracking and report page."""
