"""The chat page (Gradio): a conversation beside the ranked hits and their measurements.

`page` builds it, `sessions` separates each person's case, `messages` converts the agent's steps to
chat messages, `hits` and `citations` render the measurements, `galleries` adds pictures. Nothing
is imported here: only `page` and `serving` need Gradio, which is slow to import.
"""
