"""Which warnings fail a test: those of our own code, and in CI its use of what will go away.

Python attributes a warning to a module. A warning of a library is collected and shown in the
summary. A warning of ours is an error (`filterwarnings` in pyproject.toml). A deprecation that
points at our code means that a later release will break it. It may come from a release that did
not exist when the code was written, so it fails only where `CI` is set and the maintainers see it.
What is noticed while garbage is collected (a file left open, an exception in a destructor) points
at whatever ran just then, seldom at its owner: it is shown and fails nothing.
"""

import os

import pytest

OURS = r"(app|assistant|tools|prompts|evals|tests)(\.|$)"
STRICT_IN_CI = ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")


def pytest_configure(config: pytest.Config) -> None:
    """Make deprecations that point at our code errors in CI."""
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        for category in STRICT_IN_CI:
            config.addinivalue_line("filterwarnings", f"error::{category}:{OURS}")
