"""The reviewer's work on a search: decisions, notes, the filter of the list, and undo."""
