"""The shape of the package: imports point one way, rooms keep to their size, and no name means two things."""

import ast
import collections
import graphlib
import subprocess
import sys

import pytest

from autoaug.files import ROOT

LAYERS = (
    {"files", "recipes", "datasets", "augment", "devices"},
    {"models", "checkpoints", "runs", "study", "papermill_command", "data_prep"},
    {"shift", "sagemaker", "training"},
    {"plots"},
    {"report", "notebook"},
)
LAYER = {room: number for number, layer in enumerate(LAYERS) for room in layer}

ONE_IDEA = {  # names of several files or folders that are the same idea in different rooms
    "checkpoints": "of the original's code, and of a training of ours",
    "study": "a study as its YAML lists it, and the runs of one that belong together",
    "shift": "the statistics, and figures of them",
}


def name_of(path):
    """A module's name, from its path below the root."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PACKAGES = ("autoaug", "data_prep")
PATHS = {name_of(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")}


def room(module):
    """`autoaug.plots.shift` is in `plots`, `data_prep.fetch` in `data_prep`; `autoaug` itself is in none."""
    first, _, rest = module.partition(".")
    return first if first == "data_prep" else rest.partition(".")[0]


def imported(source, module, is_package=False):
    """The modules of this repository that a module's source imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if is_package else module.split(".")[:-1]
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            members = {alias.name: f"{base}.{alias.name}" for alias in node.names}
            names |= {member if member in PATHS else base for member in members.values()}
    return {name for name in names if name in PATHS} - {module}


IMPORTS = {name: imported(path.read_text(), name, path.name == "__init__.py") for name, path in sorted(PATHS.items())}


def test_every_module_has_a_layer():
    assert {room(module) for module in PATHS} - {""} == set(LAYER)


def test_imports_point_one_way():
    assert [
        f"{module} imports {other}: {room(module)} may not import {room(other)}"
        for module, others in IMPORTS.items()
        for other in sorted(others)
        if {room(module), room(other)} <= LAYER.keys() and LAYER[room(other)] > LAYER[room(module)]
    ] == []


def test_no_modules_and_no_rooms_import_each_other_in_a_circle():
    tuple(graphlib.TopologicalSorter(IMPORTS).static_order())  # its CycleError names the circle
    rooms = {}
    for module, others in IMPORTS.items():
        rooms.setdefault(room(module), set()).update(room(other) for other in others)
    tuple(graphlib.TopologicalSorter({name: others - {name} for name, others in rooms.items()}).static_order())


def test_what_a_reader_has_to_hold_in_mind_stays_small():
    """Docstrings and the page's templates count. If there is no room, a feature goes; lines are not squeezed."""
    lines = {path: len(path.read_text().splitlines()) for path in (*ROOT.glob("tests/**/*.py"), *PATHS.values())}
    lines |= {path: len(path.read_text().splitlines()) for path in (ROOT / "autoaug" / "report").glob("report.*")}
    of_tests = sum(count for path, count in lines.items() if path.is_relative_to(ROOT / "tests"))
    assert len(PATHS) <= 75 and sum(lines.values()) - of_tests <= 9_000 and of_tests <= 8_500
    assert {path: n for path, n in lines.items() if n > 300 and not path.is_relative_to(ROOT / "tests")} == {}


def test_no_two_files_and_no_two_classes_have_one_name():
    places, classes = collections.defaultdict(list), collections.defaultdict(list)
    for module, path in PATHS.items():
        places[module.rpartition(".")[2]].append(module)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(module)
    shared = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert {name: modules for name, modules in shared.items() if name not in {"__main__", *ONE_IDEA}} == {}
    assert {name: modules for name, modules in classes.items() if len(modules) > 1} == {}


@pytest.mark.parametrize(
    ("statement", "slow"),
    [
        ("import autoaug", {"numpy", "pandas", "tensorflow", "numba", "keras"}),
        # which would write to standard error, and whose objects Python would search again and again
        ("import gc, autoaug, tensorflow; assert gc.isenabled() and gc.get_stats()[0]['collections'] < 400", set()),
        ("from autoaug.augment import kernel; assert not kernel.augment_images.signatures", {"tensorflow"}),
        ("import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0)); import autoaug", set()),
        ("from autoaug import notebook, plots", {"scipy.stats", "boto3", "tensorflow"}),
        ("from autoaug import papermill_command; papermill_command.main(['--version'])", {"lark", "tensorflow"}),
    ],
)
def test_what_is_slow_to_import_waits_until_it_is_used(statement, slow):
    """lark parses the grammar that jsonschema would compile at its import; a kernel is compiled when it is called.

    At its end, a process does not search its objects: Python has been told to freeze them.
    """
    code = f"import sys\n{statement}\nassert not {slow!r} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and "False" not in done.stdout


def test_the_code_runs_where_it_is_not_installed_as_in_a_job():
    assert [module for module, path in PATHS.items() if "metadata.version(" in path.read_text()] == []
