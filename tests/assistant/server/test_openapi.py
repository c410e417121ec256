"""The API keeps its own OpenAPI document, whatever is sent to it (schemathesis)."""

import contextlib
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from assistant.server.access.throttle import Guesses, RateLimit
from tests.assistant.server.serving import client_of, server_in

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MODES = {GenerationMode.POSITIVE: 3, GenerationMode.NEGATIVE: 2}
"""Requests per route: some that fit the document, and some that do not."""


def test_the_api_keeps_its_document(tmp_path: Path) -> None:
    """Statuses, content types and bodies are those documented; nothing is a fault."""
    server = server_in(tmp_path)
    server.access.rate = RateLimit(per_minute=1e9, burst=10**9)

    async def at_once(_: float) -> None:
        """Wrong tokens are part of the test; their delay is not."""

    server.access.guesses = Guesses(sleep=at_once)
    token = client_of(server, "fuzz").headers["authorization"]
    headers = {"Authorization": token, "Host": "localhost"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", server.asgi, headers=headers)
    seen = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        seen.append(operation.label)

        for mode, examples in MODES.items():
            _sent(operation.as_strategy(generation_mode=mode), examples, headers)
    assert len(seen) > 25


def _sent(strategy: SearchStrategy[schemathesis.Case], examples: int, headers: object) -> None:
    """Send requests, and compare each answer with the document."""

    @given(case=strategy)
    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def sent(case: schemathesis.Case) -> None:
        # What fits the document may still be refused: a gallery that is not there, no picture.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    with contextlib.suppress(Unsatisfiable):  # nothing in this route could be wrong
        sent()


def test_the_document_names_the_token_and_the_problems(tmp_path: Path) -> None:
    """Every route needs a token, and documents what goes wrong."""
    document = client_of(server_in(tmp_path), "reader").get("/openapi.json").json()
    assert document["security"] == [{"token": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert {"401", "403", "422", "429"} <= operation["responses"].keys(), path
