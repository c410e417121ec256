"""LangChain tools of the assistant, and the workspace of one investigation that they share."""
