"""The shape of the house: who may import whom, and where medicine ends and machine begins."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fmstudio.contracts import pipelines

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. A part may import from the floors below its own, never from beside or above.
FLOORS = (
    ("types", "errors", "files", "identity", "lock", "marks", "office", "traces", "version"),
    ("results",),
    ("present",),
    ("records", "settings", "private", "tables", "standard_form"),
    ("contracts", "columns", "run_config"),
    ("pretrain_config",),
    ("sandbox", "encoders", "registry", "evaluation"),
    ("checkpoints", "baselines"),
    ("model", "cohort"),
    ("adapters",),
    ("features",),
    ("training", "prediction", "report"),
    ("pretraining", "cohort.audit"),
    ("runs",),
    ("backup",),
    ("doctor",),
    ("studio",),
    ("ui", "cli"),
    ("__main__",),
    ("app",),
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}
# Parts that see less than all that is below them.
ONLY = {
    "results": {"types", "errors"},
    "present": {"types", "errors", "results"},
    "registry": {"types", "errors", "files", "records", "settings"},
    "tables": {"types", "errors", "office"},
    "cohort": {"types", "errors", "files", "records", "settings", "contracts", "sandbox"},
    "sandbox": {
        "types",
        "errors",
        "files",
        "marks",
        "records",
        "settings",
        "contracts",
        "tables",
        "standard_form",
    },
    "pipelines": {"types", "errors", "identity", "office", "records", "settings", "tables"},
}
SLOW = {"torch", "peft", "transformers", "sqlalchemy", "sklearn"}
# Names of HTML elements and of a JSON key, which happen to be names of modalities.
NOT_A_MODALITY = {
    ("fmstudio/ui/previews.py", "audio"),
    ("fmstudio/ui/previews.py", "video"),
    ("fmstudio/adapters/schema.py", "notes"),
    ("fmstudio/evaluation/conformal.py", "notes"),
    ("fmstudio/evaluation/conformal_coverage.py", "notes"),
}


def sources(*folders: str) -> list[Path]:
    """Every Python file below the folders, and app.py if it is asked for."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return found + [ROOT / name for name in folders if (ROOT / name).is_file()]


def name_of(path: Path) -> str:
    """The dotted name of a module file."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(
    path: Path, at_start_only: bool = False, typing: bool = False
) -> Iterator[tuple[int, str]]:
    """(line, module) of each import; what only a type checker sees is left out without `typing`.

    With `at_start_only`, what is inside functions is left out too: it is imported when called.
    """
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not typing:
            waiting.extend(node.orelse)
            continue
        if at_start_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                exists = (ROOT / Path(*full.split("."))).is_dir() or (
                    ROOT / Path(*full.split("."))
                ).with_suffix(".py").is_file()
                yield node.lineno, full if exists else node.module
        waiting.extend(ast.iter_child_nodes(node))


def part_of(module: str) -> str | None:
    """The part of the house that a module belongs to, None for what is not ours."""
    names = module.split(".")
    if names[0] != "fmstudio":
        return names[0] if names[0] in ("pipelines", "app") else None
    if ".".join(names[1:3]) in FLOOR:
        return ".".join(names[1:3])
    return names[1] if len(names) > 1 and names[1] in FLOOR else None


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_part_of_the_studio_has_its_floor():
    parts = {path.relative_to(ROOT / "fmstudio").parts[0] for path in sources("fmstudio")}

    assert {part.removesuffix(".py") for part in parts} - FLOOR.keys() == {"__init__"}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The parts of a graph whose members all reach each other, longer than one."""
    reached = {start: reachable(graph, start) for start in graph}
    found = {
        tuple(sorted(other for other in reached[start] if start in reached[other]))
        for start in graph
        if start in reached[start]
    }
    return [list(circle) for circle in sorted(found)]


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """All that can be come to from a node, itself only if a way leads back."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(graph.get(node, ()))
    return seen


def test_no_file_and_no_room_leads_back_to_itself():
    files: dict[str, set[str]] = {}
    rooms: dict[str, set[str]] = {}
    known = {name_of(path) for path in sources("fmstudio", "pipelines")}
    for path in sources("fmstudio", "pipelines"):
        own = name_of(path)
        files[own] = {name for _, name in imports(path, typing=True)} & known - {own}
        room = part_of(own) or own
        others = {part_of(name) or name for name in files[own]}
        rooms[room] = rooms.get(room, set()) | others - {room}

    assert circles(files) == []
    assert circles(rooms) == []


def test_imports_go_downwards_only():
    wrong = []
    for path in sources("fmstudio", "app.py"):
        own = part_of(name_of(path))
        if own is None or name_of(path).startswith("fmstudio.runs.worker"):
            continue  # the worker is an entry point, as the command line is
        for line, module in imports(path):
            other = part_of(module)
            if other in (None, own, "pipelines") or other.split(".")[0] == own.split(".")[0]:
                continue
            if FLOOR[other] >= FLOOR[own] or other not in ONLY.get(own, FLOOR):
                wrong.append(f"{where(path, line)} imports {module}")

    assert wrong == []


def test_the_studio_knows_pipelines_only_through_discovery():
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in sources("fmstudio", "app.py")
        for line, module in imports(path)
        if part_of(module) == "pipelines"
    ]

    assert wrong == []


def test_pipelines_know_nouns_and_errors_and_nothing_of_models():
    wrong = []
    for path in sources("pipelines"):
        for line, module in imports(path):
            part = part_of(module)
            ours = part not in (None, "pipelines") and part not in ONLY["pipelines"]
            if ours or module.split(".")[0] in SLOW:
                wrong.append(f"{where(path, line)} imports {module}")

    assert wrong == []


def loaded_with(module: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """(importer, slow package) for all that is loaded when a module of ours is imported."""
    if module in seen:
        return
    seen.add(module)
    base = ROOT / Path(*module.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not path.is_file():
        return
    for _, name in imports(path, at_start_only=True):
        if name.split(".")[0] in SLOW:
            yield module, name.split(".")[0]
        elif name.split(".")[0] in ("fmstudio", "pipelines"):
            names = name.split(".")
            for length in range(1, len(names) + 1):
                yield from loaded_with(".".join(names[:length]), seen)


@pytest.mark.parametrize("start", ["ui", "cli", "cohort", "sandbox", "contracts"])
def test_nothing_slow_is_loaded_before_it_is_needed(start):
    seen: set[str] = set()
    files = [path for path in sources("fmstudio") if part_of(name_of(path)) == start]
    wrong = [
        f"{by} imports {slow}" for path in files for by, slow in loaded_with(name_of(path), seen)
    ]

    assert wrong == []


def test_pages_never_reach_for_models_or_tables():
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in sources("fmstudio/ui")
        for line, module in imports(path)
        if module.split(".")[0] in SLOW
    ]

    assert wrong == []


def test_only_the_adapters_know_peft_and_only_the_registry_knows_sqlalchemy():
    homes = {"peft": "adapters", "sqlalchemy": "registry", "alembic": "registry"}
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in sources("fmstudio")
        for line, module in imports(path)
        if homes.get(module.split(".")[0]) not in (None, part_of(name_of(path)))
        and part_of(name_of(path)) != "doctor"
    ]

    assert wrong == []


def test_no_file_of_the_studio_contains_the_name_of_a_modality():
    keys, wrong = set(pipelines()), []
    for path in sources("fmstudio", "app.py"):
        file = str(path.relative_to(ROOT).as_posix())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            name = getattr(node, "attr", getattr(node, "id", getattr(node, "arg", None)))
            for found in (text, name):
                if found in keys and (file, found) not in NOT_A_MODALITY:
                    wrong.append(f"{where(path, node.lineno)} names {found}")

    assert wrong == []


def test_packages_that_do_not_fit_this_stack_are_not_imported():
    # No CPU build, GPL-3, and open memory-safety reports, in this order.
    unfit = {"torchvision", "torchaudio", "libjpeg", "pylibjpeg_libjpeg", "gdcm", "pickle"}
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in sources("fmstudio", "pipelines", "app.py")
        for line, module in imports(path)
        if module.split(".")[0] in unfit
    ]

    assert wrong == []


def test_no_file_is_longer_than_400_lines_or_named_after_nothing():
    every = sources("fmstudio", "pipelines", "data_samples", "benchmarks", "tests", "app.py")
    long = [p.name for p in every if len(p.read_text(encoding="utf-8").splitlines()) > 400]
    vague = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

    assert long == []
    assert [p for p in every if vague & set(p.with_suffix("").parts[-2:])] == []
