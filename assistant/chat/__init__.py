"""The chat page: a conversation beside the ranked hits and what was measured on each.

`page` builds it, `sessions` keeps each person's case apart, `turns` turns the loop's steps into
chat messages, `hits` and `citations` draw what was measured, `galleries` adds pictures. Nothing
is imported here: only `page` and `serving` need Gradio, which is slow to import.
"""
