"""Words that want to be obeyed, through the real parts."""
