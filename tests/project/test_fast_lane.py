"""`pytest -m fast` covers the logic of every package in a minute, without weights."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

ROOMS = sorted(
    folder
    for package in ("assistant", "tools")
    for folder in (ROOT / "tests" / package).iterdir()
    if any(folder.rglob("test_*.py"))
)

# Fixtures of tests/conftest.py that load weights or index pictures.
HEAVY = {"case", "made_dataset", "made_run", "made_measured"}


def fast_tests(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The tests of a file that are in the lane: all of them, or those marked one by one."""
    whole = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and _is_fast(node.value)
        for node in tree.body
    )
    tests = [it for it in _functions(tree) if it.name.startswith("test_")]
    yield from (it for it in tests if whole or any(map(_is_fast, it.decorator_list)))


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def trees(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    """Name and syntax of every file of tests that marks any as fast."""
    for file in sorted(folder.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if "mark.fast" in text:
            yield file.name, ast.parse(text)


def _is_fast(mark: ast.expr) -> bool:
    marks = mark.elts if isinstance(mark, ast.List) else [mark]
    return any(ast.unparse(it) == "pytest.mark.fast" for it in marks)


def _fixtures(tree: ast.Module) -> set[str]:
    return {
        it.name
        for it in _functions(tree)
        if any("pytest.fixture" in ast.unparse(mark) for mark in it.decorator_list)
    }


def _arguments(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in function.args.args}


@pytest.mark.parametrize(
    "room", ROOMS, ids=lambda room: room.relative_to(ROOT / "tests").as_posix()
)
def test_every_room_is_in_the_lane(room: Path) -> None:
    """A room without a fast test would be left out of the lane unnoticed."""
    assert any(any(fast_tests(tree)) for _, tree in trees(room))


def test_the_lane_loads_no_weights() -> None:
    """No test of the lane, nor a fixture of its file, asks for an indexed case or data set."""
    asking = []
    for name, tree in trees(ROOT / "tests"):
        heavy = HEAVY - _fixtures(tree)
        for it in _functions(tree) * 2:  # a fixture may ask for one that is written below it
            heavy |= {it.name} & _fixtures(tree) if _arguments(it) & heavy else set()
        asking += [f"{name}::{it.name}" for it in fast_tests(tree) if _arguments(it) & heavy]
    assert asking == []


def test_both_ways_of_marking_are_read() -> None:
    """A mark on the file counts for all its tests, one on a test for that test."""
    one = "@pytest.mark.fast\ndef test_a(): ...\n@pytest.mark.slow\ndef test_b(): ...\ndef c(): ..."
    every = "pytestmark = [pytest.mark.skipif(x), pytest.mark.fast]\n" + one
    assert [it.name for it in fast_tests(ast.parse(one))] == ["test_a"]
    assert [it.name for it in fast_tests(ast.parse(every))] == ["test_a", "test_b"]
