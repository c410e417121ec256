"""Hostile files through every door: reading, searching, checking, chatting, uploading."""
