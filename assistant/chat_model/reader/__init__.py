"""The request reader: a small language model that chooses the tool which a message asks for."""

from assistant.chat_model.reader.loading import load_request_reader

__all__ = ["load_request_reader"]
