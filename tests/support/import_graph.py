"""Import graph of the source tree, and checks for cycles and crowded folders."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""Modules by dotted name, each with the project modules that it imports."""


def import_graph(root: Path, packages: Sequence[str]) -> Graph:
    """Imports among the packages below `root`, at the top of modules and inside functions.

    `from package import module` counts as the module; imports for type checkers count too.
    """
    files = {_dotted(path, root): path for package in packages for path in _sources(root / package)}
    return {
        module: frozenset(_imported(ast.parse(path.read_text("utf-8")), files) - {module})
        for module, path in files.items()
    }


def _sources(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.py")


def _dotted(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _imported(tree: ast.Module, known: Mapping[str, Path]) -> set[str]:
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                found.add(within if within in known else node.module)
    return found & known.keys()


def cycles(graph: Graph) -> list[set[str]]:
    """Groups of modules that import each other, directly or indirectly."""
    reached = {module: _reachable(module, graph) for module in graph}
    groups = {frozenset(it for it in reached[module] if module in reached[it]) for module in graph}
    return [set(group) for group in groups if len(group) > 1]


def _reachable(start: str, graph: Graph) -> set[str]:
    seen, ahead = set[str](), [start]
    while ahead:
        for module in graph.get(ahead.pop(), ()):
            if module not in seen:
                seen.add(module)
                ahead.append(module)
    return seen


def crowded(root: Path, packages: Sequence[str], *, most: int) -> dict[str, int]:
    """Folders with more than `most` entries, not counting `__init__.py` and README.md."""
    beside = {"__init__.py", "__pycache__", "README.md"}
    folders = (
        folder
        for package in packages
        for folder in (root / package, *(root / package).rglob("*/"))
        if folder.is_dir() and "__pycache__" not in folder.parts
    )
    counts = {
        folder.relative_to(root).as_posix(): sum(it.name not in beside for it in folder.iterdir())
        for folder in folders
    }
    return {folder: count for folder, count in counts.items() if count > most}
