"""Evaluate the assistant: its tool calls, answers and explanations."""
