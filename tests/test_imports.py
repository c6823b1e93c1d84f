"""The order of the rooms, read from the source: what may import what, and what must never come along."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .deploy.colour_sets import write_class_folders

SOURCE = Path(__file__).parents[1] / "src"

# A module may import its own room and those of earlier ranks; rooms of one rank are strangers.
RANKS = (
    {"records", "boxes", "errors", "files", "locks"},
    {"typed_yaml"},
    {"data", "models", "metrics", "meter"},
    {"train"},
    {"deploy"},
    {"search"},
    {"studies"},
    {"serve", "commands", "cli"},
)
DOORS = RANKS[-1]
TORCH_ROOMS = ("ligera.models.", "ligera.train.", "ligera.search.", "ligera.deploy.export.")
HEAVY = ("torch", "torchvision", "timm", "accelerate", "onnx", "scipy", "matplotlib", "safetensors")


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(path: Path, *, inside: bool = True, types: bool = True) -> Iterator[str]:
    """Every module that a file imports: also ``inside`` functions, also for ``types`` alone."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import in line {node.lineno}"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)
        if not inside and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            if types:
                waiting += node.body
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)


def room(module: str) -> str:
    """``ligera.deploy.timing.bench`` -> ``deploy``; the package itself has none."""
    return module.partition(".")[2].partition(".")[0]


def rank(name: str) -> int:
    return next(number for number, rooms in enumerate(RANKS) if name in rooms)


def objection(importer: str, imported: str) -> str | None:
    """Why one module of ours must not import another, or ``None``."""
    here, there = room(importer), room(imported)
    if here in ("", there):
        # the package's front, which only loads on demand, and neighbours in one room
        return None
    if there == "":
        return None
    if there in DOORS and not (here == "cli" and there == "commands"):
        return "nothing imports a door"
    if here in DOORS or rank(there) < rank(here):
        return None
    return "runs against the order of the rooms"


def test_every_room_has_a_rank() -> None:
    known = set().union(*RANKS)
    assert {room(name) for name in MODULES} - {""} <= known


@pytest.mark.parametrize("module", MODULES)
def test_no_import_runs_against_the_order_of_the_rooms(module: str) -> None:
    wrong = {
        f"{module} imports {name}: {reason}"
        for name in imports(MODULES[module])
        if name.startswith("ligera") and (reason := objection(module, name))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("ligera.records", "ligera.boxes.x"),
        ("ligera.data.faces", "ligera.models.priors"),
        ("ligera.metrics.x", "ligera.data.faces"),
        ("ligera.train.loop", "ligera.deploy.timing.bench"),
        ("ligera.models.decode", "ligera.train.loop"),
        ("ligera.deploy.timing.bench", "ligera.commands.bench"),
        ("ligera.deploy.timing.bench", "ligera.cli"),
    ],
)
def test_the_rule_itself_sees_what_is_wrong(importer: str, imported: str) -> None:
    assert objection(importer, imported) is not None


def test_nothing_joins_a_circle() -> None:
    graph = {
        name: {i for i in imports(path, inside=False, types=False) if i in MODULES} for name, path in MODULES.items()
    }
    for start, first in graph.items():
        waiting, seen = list(first), set(first)
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        assert start not in seen, f"{start} imports itself through others: {sorted(seen)}"


def test_only_the_rooms_that_train_and_export_know_torch() -> None:
    wrong = {
        name
        for name, path in MODULES.items()
        if any(i.split(".")[0] in ("torch", "torchvision") for i in imports(path, types=False))
        and not name.startswith(TORCH_ROOMS)
    }
    assert not wrong


def loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nsys.stderr.write(' '.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def names_of(module: str) -> set[str]:
    """What can be imported from ``module``, by its source: what it binds, and the modules below it."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    bound = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    bound |= {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    bound |= {
        alias.asname or alias.name for one in ast.walk(tree) if isinstance(one, ast.ImportFrom) for alias in one.names
    }
    return bound | {name.removeprefix(f"{module}.") for name in MODULES if name.startswith(f"{module}.")}


@pytest.mark.parametrize(
    "script",
    [path for room in ("benchmarks", "tools", "examples") for path in sorted((SOURCE.parent / room).glob("*.py"))],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_what_scripts_beside_the_package_import_of_it_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "ligera":
            assert node.module in MODULES, f"{node.module} is no module"
            missing = {alias.name for alias in node.names} - names_of(node.module)
            assert not missing, f"{node.module} has no {missing}"


def test_the_package_itself_loads_nothing_heavy() -> None:
    loaded = loaded_after("import ligera")
    assert not loaded & {*HEAVY, "cv2", "onnxruntime", "typer", "rich", "pydantic", "numpy"}


def test_a_detection_loads_no_torch_and_nothing_else_of_the_training_set(bundle: Path, tmp_path: Path) -> None:
    photo = Path(__file__).parents[1] / "examples" / "people.jpg"
    arguments = ["detect", str(photo), "--model", str(bundle), "--out", str(tmp_path / "out")]
    loaded = loaded_after(f"from ligera.cli import run\nassert run({arguments!r}) == 0")
    assert (tmp_path / "out" / "detections.jsonl").is_file()
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    ("verb", "made"),
    [("classify {data} --model {model}", "classifications.jsonl"), ("eval {model} {data}", "confusion.png")],
)
def test_a_classification_and_its_accuracy_load_no_torch_either(
    verb: str, made: str, classifier_bundle: Path, tmp_path: Path
) -> None:
    places = {"data": write_class_folders(tmp_path / "in"), "model": classifier_bundle}
    arguments = [word.format(**places) for word in verb.split()] + ["--out", str(tmp_path / "out")]
    loaded = loaded_after(f"from ligera.cli import run\nassert run({arguments!r}) == 0")
    assert (tmp_path / "out" / made).is_file()
    assert not loaded & set(HEAVY)
