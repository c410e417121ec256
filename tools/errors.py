"""The two kinds of failure that are not bugs."""


class ToolError(Exception):
    """An expected failure the caller, or the model, can react to: no face found, unknown id."""


class SetupError(Exception):
    """Something the person can fix; the message is one line that names the command to run."""
