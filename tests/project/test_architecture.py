"""Project architecture: direction of imports, homes of third parties, how files read."""

import ast
import functools
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from assistant.cli.doctor import OUR_PACKAGES, find_package_conflicts
from tests.support.import_graph import crowded, cycles, import_graph
from tests.support.paths import ROOT

# Who may import whom, by the importing file; the first pattern that fits decides.
ARROWS = (
    ("app.py", {"assistant", "tools"}),
    ("assistant/*", {"assistant", "tools", "prompts"}),
    ("evals/*", {"evals", "assistant", "tools", "prompts"}),
    ("tools/training/*", {"tools", "prompts"}),
    ("tools/agent_tools/about_unmask.py", {"tools", "prompts"}),  # the project's own texts
    ("tools/*", {"tools"}),
    ("prompts/*", {"prompts"}),
)

# Who may import whom inside a package: what stands below, by the module or folder at its top.
# Everything of `tools` may import `tools.errors`, everything of `assistant` its settings.
ROOMS = {
    "tools": {
        "media": set(),
        "checkpoints": {"media"},
        "faces": {"checkpoints", "media"},
        "encoder": {"checkpoints", "media"},
        "forge": {"faces"},
        "gallery": {"faces", "media"},
        "verdict": {"faces"},
        "provenance": {"media", "verdict"},
        "localisers": {"checkpoints", "faces", "forge", "gallery", "verdict"},
        "detectors": {"checkpoints", "encoder", "faces", "localisers", "media", "verdict"},
        "search": {
            "checkpoints", "detectors", "encoder", "faces", "forge", "gallery", "localisers",
            "media", "provenance", "verdict",
        },
        "agent_tools": {
            "detectors", "faces", "gallery", "localisers", "media", "search", "verdict",
        },
        "metrics": set(),
        "training": {
            "checkpoints", "detectors", "encoder", "faces", "forge", "gallery", "localisers",
            "media", "metrics", "search", "verdict",
        },
    },
    "assistant": {
        "console": set(),
        "conversation": set(),
        "grounding": {"conversation"},
        "case": {"conversation"},
        "agent": {"case", "conversation", "grounding"},
        "profile": {"chat_model"},
        "report": {"agent", "case"},
        "server": {
            "case", "conversation", "demo", "investigation", "profile", "report",
        },
        "chat_model": {"console", "conversation", "report"},
        "investigation": {"chat_model", "profile", "report"},
        "demo": {"investigation", "report"},
        "chat": {
            "agent", "case", "chat_model", "console", "conversation", "demo", "grounding",
            "investigation", "profile", "report", "server",
        },
        "cli": {
            "agent", "case", "chat", "chat_model", "console", "conversation", "demo", "grounding",
            "investigation", "profile", "report", "server",
        },
        "training": {"agent", "chat_model", "conversation", "grounding", "profile"},
    },
}  # fmt: skip
GROUND_FLOOR = {"tools": {"errors"}, "assistant": {"settings", "library_environment"}}

MOST_ENTRIES = 14

# The homes of third parties: nothing else may import them.
HOMES = {
    "gradio": ("assistant/chat/*", "app.py"),
    "fastapi": ("assistant/server/api/*", "assistant/server/serving.py"),
    "uvicorn": ("assistant/server/serving.py",),
    "mcp": ("assistant/server/mcp_server.py",),
    "mcp_types": ("assistant/server/mcp_server.py",),
    "chromadb": ("tools/gallery/engines/chroma*.py",),
    "qdrant_client": ("tools/gallery/engines/qdrant.py",),
    "insightface": ("tools/faces/analyser.py", "assistant/demo*.py", "tools/training/*", "evals/*"),
    "av": ("tools/media/videos/sampling.py", "evals/*"),
    "open_clip": ("tools/encoder/clip.py", "tools/training/*"),
    "transformers": (
        "assistant/chat_model/*", "assistant/agent/requests/reader.py", "assistant/training/*",
        "tools/checkpoints/pretrained/conversion.py",
        "tools/detectors/networks/image_classifier.py", "tools/encoder/pretrained_tower.py",
    ),
    "fpdf": ("assistant/report/pdf/*",),
    "pyrage": ("tools/gallery/locking/*",),
    "c2pa": ("tools/provenance/manifest_store.py",),
    "bitsandbytes": ("assistant/chat_model/*", "assistant/training/*"),
    "xgrammar": ("assistant/chat_model/*",),
}  # fmt: skip

# The only reader of the environment. Trainings and evals set thread counts for their children, and
# mlflow asks by it where a run goes.
READS_ENVIRONMENT = (
    "assistant/settings.py", "assistant/library_environment.py", "evals/*", "tools/training/*",
    "assistant/training/*", "tools/training/tracking.py", "tools/__init__.py",
)  # fmt: skip

# Where a fault reaches a person instead of a terminal.
THE_EDGE = ("assistant/chat/events/updates.py", "assistant/server/work/index_jobs.py")

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def sources() -> list[str]:
    """Every Python file of the project, tests aside, as a path from the root."""
    files = [*ROOT.glob("*.py")]
    for package in OUR_PACKAGES:
        files += (ROOT / package).rglob("*.py")
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


SOURCES = sources()


@functools.cache
def text_of(source: str) -> str:
    """What is written in the file."""
    return (ROOT / source).read_text(encoding="utf-8")


@functools.cache
def syntax(source: str) -> ast.Module:
    """The parsed file."""
    return ast.parse(text_of(source), source)


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Top-level names of everything imported, at the top or inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield package if node.level else str(node.module).split(".")[0]
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            target = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(target, ast.Constant):
                yield str(target.value).split(".")[0]


def fits(source: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path matches one of the patterns."""
    return any(fnmatch(source, pattern) for pattern in patterns)


def test_dependencies_point_one_way() -> None:
    """app → assistant → tools; evals → all of them; prompts → nothing."""
    turned = {
        source: arrows
        for source in SOURCES
        if (arrows := _imports_of_ours(source) - _allowed_for(source))
    }
    assert turned == {}


def _imports_of_ours(source: str) -> set[str]:
    return set(imported(syntax(source), source.split("/")[0])) & {*OUR_PACKAGES, "app", "tests"}


def _allowed_for(source: str) -> set[str]:
    return next(targets for pattern, targets in ARROWS if fnmatch(source, pattern))


def test_no_modules_import_each_other() -> None:
    """No import cycle, however long, whether at the top of a module or inside a function."""
    assert cycles(import_graph(ROOT, OUR_PACKAGES)) == []


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_downwards(package: str) -> None:
    """Inside a package too, imports follow the table."""
    rooms, turned = ROOMS[package], set()
    for module, targets in import_graph(ROOT, [package]).items():
        above = _room(module)
        if above not in rooms:
            continue  # the package itself, or its ground floor
        allowed = rooms[above] | {above} | GROUND_FLOOR[package]
        turned |= {(module, it) for it in targets if _room(it) not in allowed}
    assert turned == set()
    known = {*rooms, *GROUND_FLOOR[package], ""}
    assert {_room(module) for module in import_graph(ROOT, [package])} == known


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_rooms_stay_small() -> None:
    """A folder is read at a glance; a package's ground floor is not one of its rooms."""
    full = crowded(ROOT, [*OUR_PACKAGES, "tests"], most=MOST_ENTRIES)
    rooms = {it: full[it] - len(GROUND_FLOOR.get(it, ())) for it in full}
    assert {it: count for it, count in rooms.items() if count > MOST_ENTRIES} == {}


def test_third_parties_have_one_home() -> None:
    """A library with a seam around it is imported behind that seam only."""
    strangers = [
        (source, name)
        for source in SOURCES
        for name in set(imported(syntax(source), "")) & HOMES.keys()
        if not fits(source, HOMES[name])
    ]
    assert strangers == []


def test_names_say_what_is_inside() -> None:
    """No module is called utils, helpers, common, misc or manager."""
    assert [source for source in SOURCES if VAGUE_NAMES & set(re.split(r"[/_.]", source))] == []


def test_only_the_settings_read_the_environment() -> None:
    """Nothing else touches os.environ or os.getenv."""
    readers = [
        (source, name)
        for source in SOURCES
        if not fits(source, READS_ENVIRONMENT)
        for name in _names_used(syntax(source)) & {"environ", "environb", "getenv", "putenv"}
    ]
    assert readers == []


def _names_used(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    return attributes | {alias.name for node in froms for alias in node.names}


def test_no_error_is_swallowed_whole() -> None:
    """No bare `except`, no `except Exception`: what is not expected is a bug and must show.

    Tidying up and raising the same error again is not swallowing it; handing it to another
    thread is not either, when the line says so (`noqa: BLE001 - reason`). At the edge, where a
    person looks at the page, it is logged with its traceback and shown.
    """
    broad = [
        f"{source}:{handler.lineno}"
        for source in SOURCES
        for handler in ast.walk(syntax(source))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or _names(handler.type) & {"Exception", "BaseException"})
        and not _raises_again(handler)
        and not (fits(source, THE_EDGE) and _logs(handler))
        and "noqa: BLE001 - " not in text_of(source).splitlines()[handler.lineno - 1]
    ]
    assert broad == []


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _logs(handler: ast.ExceptHandler) -> bool:
    calls = [node.func for node in ast.walk(handler) if isinstance(node, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr == "exception" for call in calls)


def _names(node: ast.expr) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def test_no_path_of_one_machine() -> None:
    """No file names a folder that exists on one machine only."""
    marks = ("/work/", "/tmp/", "/home/", "/root/")  # noqa: S108 - that is the point
    assert [(it, mark) for it in SOURCES for mark in marks if mark in text_of(it)] == []


def test_every_package_is_one() -> None:
    """Every folder with Python files has an __init__.py, so that the wheel contains it."""
    folders = {(ROOT / source).parent for source in SOURCES} - {ROOT}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_nobody_else_claims_our_names() -> None:
    """No other installed distribution ships a package called like one of ours."""
    assert find_package_conflicts() == {}


def test_the_rules_can_fail() -> None:
    """The import reader sees every form of import, or the rules above would hold for nothing."""
    forms = (
        "import chromadb.config\n"
        "def f():\n    from gradio import Blocks\n"
        "from . import x\n"
        "importlib.import_module('open_clip.model')\n"
    )
    assert set(imported(ast.parse(forms), "here")) == {"chromadb", "gradio", "here", "open_clip"}


def test_a_planted_cycle_is_found(tmp_path: Path) -> None:
    """Three modules in a circle, one of whose imports hides in a function; and a full folder."""
    package = tmp_path / "planted"
    package.mkdir()
    for name, text in {
        "__init__": "",
        "one": "from planted import two",
        "two": "def late():\n    from planted.three import x",
        "three": "import planted.one",
        "four": "from planted.one import y",
    }.items():
        (package / f"{name}.py").write_text(text)
    graph = import_graph(tmp_path, ["planted"])
    assert cycles(graph) == [{"planted.one", "planted.two", "planted.three"}]
    assert crowded(tmp_path, ["planted"], most=3) == {"planted": 4}
