"""The LangChain tools, and the workspace of one investigation that they share."""
