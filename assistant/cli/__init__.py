"""The command line: a module or package per command, or per group of them."""
