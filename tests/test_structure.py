"""How the package is laid out: who may import whom, and which files belong together."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinyvit

PACKAGE = Path(tinyvit.__file__).parent
TESTS = Path(__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    *("matplotlib", "scipy", "rich", "PIL", "safetensors", "cupy", "torch", "jax"),
    *("threadpoolctl", "markdown_it", "pygments", "prompt_toolkit", "platformdirs", "jupytext"),
)
OPTIONAL = {"cupyx", *HEAVY}
AT_THE_TOP = {  # imported where they are used
    **{f"show.{path.stem}": {"matplotlib"} for path in (PACKAGE / "show").glob("*.py")},
    "lessons.terminal": {"rich", "pygments"},
    "bench.torch_vit": {"torch"},
    "bench.torch_gpu": {"torch"},
    "bench.jax_vit": {"jax"},
    "bench.jax_gpu": {"jax"},
}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


each_file = pytest.mark.parametrize("path", FILES, ids=name_of)


def imports(path, nodes=None):
    """Every module that a file imports, in full, those inside functions too."""
    package = ("tinyvit", *path.relative_to(PACKAGE).parts[:-1])
    for node in nodes or ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            parts = [f"{module}.{alias.name}" for alias in node.names]
            found = [part for part in parts if exists(part)]
            yield from found if len(found) == len(parts) else [module, *found]


def exists(module):
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def parts_used(name):
    """The files and packages right below tinyvit that one of them imports."""
    path = PACKAGE / name
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    modules = {module for file in files for module in imports(file)}
    return {module.split(".")[1] for module in modules if module.startswith("tinyvit.")} - {name}


def test_every_op_has_its_test():
    ops = {path.stem for path in (PACKAGE / "ops").glob("[a-z]*.py")}
    assert ops == {path.stem.removeprefix("test_") for path in (TESTS / "ops").glob("test_*.py")}


ALLOWED = {
    "errors": set(),
    "backend": {"errors"},
    "ops": {"backend"},
    "config": {"errors"},
    "interpolation": {"errors"},
    "params": {"backend"},
    "vit": {"ops", "backend"},
    "stages": {"ops", "backend"},
    "trace": {"backend", "config", "errors", "stages", "trace_table", "vit"},
    "diagnosis": {"ops", "vit"},
    "gradcheck": {"diagnosis"},
    "exercises": {
        *("config", "diagnosis", "errors", "files", "gradcheck", "lessons", "ops", "optim"),
        *("params", "vit", "workers"),
    },
    "kernels": {"augment", "backend", "errors", "ops", "params", "vit"},
    "models": {"augment", "config", "errors", "kernels", "ops", "params", "vit"},
    "checkpoint": {
        *("backend", "config", "errors", "files", "interpolation", "models", "params", "vit"),
    },
    "examples": {"backend", "config", "gradcheck", "models", "ops", "params"},
}


@pytest.mark.parametrize("name", ALLOWED)
def test_arrows_point_down(name):
    assert parts_used(name) <= ALLOWED[name]


def test_there_is_no_circle():
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    arrows = {name: parts_used(name) for name in names - {"__init__", "__main__"}}
    while arrows:
        lowest = [name for name in arrows if not arrows[name] & arrows.keys()]
        assert lowest, f"these import each other: {sorted(arrows)}"
        for name in lowest:
            del arrows[name]


def test_only_the_command_line_imports_the_command_line():
    users = {name_of(path) for path in FILES if "tinyvit.cli" in set(imports(path))}
    assert users <= {"__main__"}


@each_file
def test_only_backend_and_kernels_name_cupy(path):
    name = name_of(path)
    if name == "backend" or name.startswith("kernels"):
        return
    tree = ast.parse(path.read_text())
    assert not {module.split(".")[0] for module in imports(path)} & {"cupy", "cupyx"}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.value.id for node in ast.walk(tree) if is_attribute_of_name(node)}
    assert not names & {"cupy", "cupyx", "cp"}


def is_attribute_of_name(node):
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)


@each_file
def test_optional_packages_are_imported_where_they_are_used(path):
    body = ast.parse(path.read_text()).body
    nodes = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    top = {module.split(".")[0] for module in imports(path, nodes or [ast.Pass()])}
    name = name_of(path)
    allowed = {"cupy"} if name.startswith("kernels.cuda") else AT_THE_TOP.get(name, set())
    assert not (top & OPTIONAL) - allowed


def test_matplotlib_is_imported_in_one_place():
    users = {
        name_of(path).split(".")[0]
        for path in FILES
        if any(module.split(".")[0] == "matplotlib" for module in imports(path))
    }
    assert users == {"show"}


def in_a_fresh_python(code):
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_import_needs_numpy_only():
    code = f"import sys, tinyvit; print(*[name for name in {HEAVY} if name in sys.modules])"
    assert in_a_fresh_python(code).split() == []


def test_import_is_fast():
    code = "import time; t = time.perf_counter(); import tinyvit; print(time.perf_counter() - t)"
    assert min(float(in_a_fresh_python(code)) for _ in range(3)) < 0.5


def test_public_names():
    assert set(tinyvit.__all__) <= set(dir(tinyvit))
    assert {"ViTConfig", "init_params", "vit_forward", "vit_backward", "check_backward"} <= set(
        tinyvit.__all__
    )
