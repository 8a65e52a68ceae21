"""The structure of the package, read from its source files."""

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import vaeimpute

PACKAGE = Path(vaeimpute.__file__).parent

# A module imports only from the floors before its own.
FLOORS = [
    [
        *("_dtypes", "_files", "_copies", "_scales"),
        *("_threads", "_notebook", "_row_streams", "_row_sample", "_atomic_files"),
        "report._charts",
    ],
    [
        *("_levels", "_containers", "_numpy_ops", "_backends", "_dask", "_progress"),
        "_command_files",
    ],
    ["_columns", "amputation", "metrics", "datasets"],
    [
        *("_tables", "_encoding", "_likelihoods", "_factor_analysis"),
        *("_persistence", "_latent_prior", "_latent_posterior"),
    ],
    ["_vae", "_validation", "_predictive", "_hidden_cells"],
    ["_engine", "_importance"],
    ["_training", "_conditional", "_generation", "_anomalies"],
    ["_base", "_online", "_uncertainty", "_self_masking"],
    ["_imputer", "_transformer"],
    ["_imputer_based", "diagnostics._drawing"],
    [
        *("_supervised", "_outliers", "_encoded"),
        *("diagnostics._cells", "diagnostics._errors", "diagnostics._fits"),
        "diagnostics._missingness",
    ],
    ["model_selection", "inference", "diagnostics", "streaming", "archive"],
    ["comparison"],
    ["report._findings"],
    ["report._verdict"],
    ["report._page"],
    ["report"],
    ["cli"],
    ["__main__"],
]
FLOOR_OF = {module: floor for floor, row in enumerate(FLOORS) for module in row}

# Slow to import or not installed with the package: only inside functions.
LATE_IMPORTS = {
    *("keras", "tensorflow", "jax", "torch"),
    *("matplotlib", "polars", "pyarrow", "dask", "IPython"),
}


def module_of(path):
    """Return the name of a module; of a package inside ours that of its folder."""
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


PATHS = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
MODULES = {x: ast.parse(path.read_text(encoding="utf-8")) for x, path in PATHS.items()}
INNER_MODULES = sorted(MODULES.keys() - {"__init__"})

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def imported_names(node):
    """Return the dotted names that an import statement may refer to."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    module = node.module or ""
    # Relative imports start at the package itself: those inside it say their full name.
    home = ".".join(filter(None, ["vaeimpute", module])) if node.level else module
    return [f"{home}.{alias.name}" for alias in node.names]


def inner_imports(nodes):
    """Return the modules of the package that the nodes import."""
    names = [name.split(".") for node in nodes for name in imported_names(node)]
    inner = [parts[1:] for parts in names if parts[0] == "vaeimpute" and parts[1:]]
    return {
        two if (two := ".".join(parts[:2])) in MODULES else parts[0] for parts in inner
    }


def import_time_nodes(node):
    """Yield the nodes that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTION, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from import_time_nodes(other)
            continue
        yield child
        yield from import_time_nodes(child)


def n_lines_without_docstring(function):
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return function.end_lineno - body[0].lineno + 1 if body else 0


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]


@pytest.mark.parametrize("module", INNER_MODULES)
def test_module_has_a_floor(module):
    assert module in FLOOR_OF, f"give vaeimpute.{module} a floor in FLOORS"


@pytest.mark.parametrize("module", INNER_MODULES)
def test_imports_go_strictly_down(module):
    floor = FLOOR_OF.get(module, -1)
    # The version is the one thing that modules may read from the package itself.
    targets = inner_imports(ast.walk(MODULES[module])) - {"__version__"}

    wrong = {name for name in targets if FLOOR_OF.get(name, len(FLOORS)) >= floor}
    assert not wrong, f"vaeimpute.{module} must not import {sorted(wrong)}"


def test_modules_import_each_other_without_a_cycle():
    # Every import of a module runs the package's __init__ first.
    graph = {
        module: inner_imports(import_time_nodes(tree)) & MODULES.keys() | {"__init__"}
        for module, tree in MODULES.items()
    }
    graph["__init__"].discard("__init__")

    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_late_imports_stay_inside_functions(module):
    names = [
        name
        for node in import_time_nodes(MODULES[module])
        for name in imported_names(node)
    ]

    early = {name for name in names if name.split(".")[0] in LATE_IMPORTS}
    assert not early


@pytest.mark.parametrize("module", MODULES)
def test_file_and_functions_are_short(module):
    assert len(PATHS[module].read_text(encoding="utf-8").splitlines()) < 700

    too_long = [
        f"{function.name} in line {function.lineno}"
        for function in functions(MODULES[module])
        if n_lines_without_docstring(function) > 80
    ]
    assert not too_long


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"cli"}))
def test_only_the_command_line_prints(module):
    prints = [
        node.lineno
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"
    ]
    assert not prints, f"vaeimpute.{module} prints in line {prints}"


def run_python(source):
    """Run source in a new interpreter and return the JSON that it prints."""
    finished = subprocess.run(
        [sys.executable, "-c", source],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_importing_the_package_imports_no_other():
    loaded = run_python(
        "import json, sys, vaeimpute; print(json.dumps(sorted(sys.modules)))"
    )
    assert not {"numpy", "pandas", "sklearn", "keras"} & set(loaded)


def test_importing_the_imputer_imports_no_keras():
    loaded = run_python(
        "import json, sys; from vaeimpute import VAEImputer;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert "vaeimpute._imputer" in loaded
    assert not {"keras", "tensorflow", "jax", "torch"} & set(loaded)


def test_importing_the_modules_changes_nothing_global():
    # What other packages change is theirs: they are imported before the first look.
    outside = {
        name
        for module in INNER_MODULES
        for node in import_time_nodes(MODULES[module])
        for name in imported_names(node)
        if name.split(".")[0] not in {"vaeimpute", "__future__"}
    }
    changed = run_python(
        f"""
import contextlib, importlib, json, logging, os, random, warnings
import numpy as np
for name in {sorted(outside)}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:  # `from a import b` where b is no module
        with contextlib.suppress(ModuleNotFoundError):  # or a is not in older packages
            importlib.import_module(name.rpartition(".")[0])
def look():
    return {{
        "environment": dict(os.environ),
        "random state": repr(random.getstate()),
        "NumPy random state": repr(np.random.get_state(legacy=False)),
        "NumPy errors": np.geterr(),
        "warning filters": list(warnings.filters),
        "log handlers": list(logging.getLogger().handlers),
    }}
before = look()
for module in {INNER_MODULES}:
    importlib.import_module("vaeimpute." + module)
after = look()
print(json.dumps([key for key in before if before[key] != after[key]]))
"""
    )
    assert changed == []


def test_public_names_exist():
    for name in vaeimpute.__all__:
        assert getattr(vaeimpute, name) is not None
    assert dir(vaeimpute) == sorted(vaeimpute.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'VAEImputr'"):
        _ = vaeimpute.VAEImputr


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"cli"}))
def test_only_the_command_line_touches_the_environment(module):
    read = {
        node.attr
        for node in ast.walk(MODULES[module])
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert not read
