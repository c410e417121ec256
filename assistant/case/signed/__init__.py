"""The signed hash chain of a case: its entries, its file, the keys, and what `verify` finds."""
