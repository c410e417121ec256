"""Training of the pocket vision-language model: dialogues, tokenizer, training run."""
