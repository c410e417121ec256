"""Code in strings, for child processes and as examples: its imports from this project exist.

No checker reads it, and some of it runs only when an index is damaged or a job is interrupted.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from assistant.cli.doctor import OUR_PACKAGES
from tests.support.paths import ROOT

IMPORTED = re.compile(rf"\bfrom ((?:{'|'.join(OUR_PACKAGES)}|tests)[\w.]*) import (\w+(?:, \w+)*)")


def imports_in_strings(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that string literals import from our packages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for module, names in IMPORTED.findall(node.value):
                yield from ((module, name) for name in names.split(", "))


def exists(module: str, name: str, *, root: Path = ROOT) -> bool:
    """Whether a module is there and has the name at its top, or a package has that module."""
    place = root / module.replace(".", "/")
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if (place / f"{name}.py").is_file() or (place / name).is_dir():
        return True
    return file.is_file() and name in _names_of(ast.parse(file.read_text(encoding="utf-8")))


def _names_of(tree: ast.Module) -> set[str]:
    """What a module defines, imports or, in a table of late imports, writes down."""
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Constant):
            names.add(str(node.value))
    return names


def test_imports_in_strings_exist() -> None:
    """A name that changes must change in the code of child processes too."""
    found = [
        (file.relative_to(ROOT).as_posix(), module, name)
        for package in (*OUR_PACKAGES, "tests")
        for file in sorted((ROOT / package).rglob("*.py"))
        if file != Path(__file__)
        for module, name in imports_in_strings(file.read_text(encoding="utf-8"))
    ]
    assert ("tools/gallery/engines/chroma_check.py", "tools.gallery.engines.chroma") in {
        it[:2] for it in found
    }
    assert [it for it in found if not exists(*it[1:])] == []


def test_a_name_that_is_gone_is_found(tmp_path: Path) -> None:
    """Functions, constants and modules are names; what stands nowhere is none."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "one.py").write_text("LIMIT: int = 3\n\ndef known(): ...\n")
    code = "code = 'import sys; from tools.one import LIMIT, known, gone; known()'"
    found = {name: exists(it, name, root=tmp_path) for it, name in imports_in_strings(code)}
    assert found == {"LIMIT": True, "known": True, "gone": False}
    assert exists("tools", "one", root=tmp_path)
    assert not exists("tools.two", "known", root=tmp_path)
