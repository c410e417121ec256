"""The dialogues that the chat model learns from."""
