"""How each pocket part was made: one runnable module a part."""
