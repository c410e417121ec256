"""The chat model: a local vision-language model, or a server's, as a langchain chat model."""
