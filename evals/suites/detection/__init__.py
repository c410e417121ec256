"""Forged or authentic, detector by detector."""
