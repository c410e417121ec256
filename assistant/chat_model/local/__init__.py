"""A vision-language model on this machine."""
