"""How the pocket vision-language model was made: dialogues, tokenizer, training."""
