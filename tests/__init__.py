"""Behaviours that Unmask promises, one sentence a test."""
