"""Exceptions for expected failures: `ToolError` and `SetupError`. Any other exception is a bug."""


class ToolError(Exception):
    """An expected failure that the caller or the model can react to: no face found, unknown id."""


class SetupError(Exception):
    """A problem that the user can fix; the message is one line that names the command to run."""
