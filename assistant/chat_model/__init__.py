"""The chat model: a local or served vision-language model as a langchain chat model."""
