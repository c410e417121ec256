"""A local vision-language model: loading, prompting, constrained decoding, scoring."""
