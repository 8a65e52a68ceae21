"""Docstrings of public objects say what signatures say, and show how to use them."""

import ast
import inspect
import re
import textwrap
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc

import vaeimpute
from vaeimpute import VAEImputer
from vaeimpute.comparison import Encoded
from vaeimpute.datasets import load_penguins

MODULES = [
    module
    for module in (getattr(vaeimpute, name) for name in vaeimpute.__all__)
    if inspect.ismodule(module)
]


def names_in(module):
    """Return what a module offers: all it lists, or else all it makes."""
    made = [
        name
        for name, thing in vars(module).items()
        if getattr(thing, "__module__", None) == module.__name__
    ]
    return getattr(module, "__all__", made)


def objects():
    """Return the public classes and functions, by their path in the package."""
    found = {name: getattr(vaeimpute, name) for name in vaeimpute.__all__}
    for module in MODULES:
        home = module.__name__.removeprefix("vaeimpute.")
        found |= {f"{home}.{name}": getattr(module, name) for name in names_in(module)}
    kinds = (inspect.isclass, inspect.isfunction)
    return {
        path: thing
        for path, thing in found.items()
        if not path.rpartition(".")[2].startswith("_") and any(x(thing) for x in kinds)
    }


CLASSES = {path: x for path, x in objects().items() if inspect.isclass(x)}
FUNCTIONS = {path: x for path, x in objects().items() if inspect.isfunction(x)}
METHODS = {
    f"{path}.{name}": method
    for path, owner in CLASSES.items()
    # Cached properties count as routines since Python 3.13, and cannot be called.
    for name, method in inspect.getmembers(owner, inspect.isroutine)
    if not name.startswith("_") and callable(method)
    if method.__module__.startswith("vaeimpute")
}
CALLABLES = FUNCTIONS | METHODS

# It is for imputers that draw, of which scikit-learn has none.
WITHOUT_EXAMPLE = {"comparison.Encoded.draw"}


def documented(thing, section="Parameters"):
    """Return names of a section's entries with their types and defaults, in order."""
    parsed = ClassDoc(thing) if inspect.isclass(thing) else FunctionDoc(thing)
    return {
        name.strip("*"): entry.type
        for entry in parsed[section]
        for name in re.split(r", ?", entry.name)
    }


def has_section(thing, section):
    return bool(FunctionDoc(thing)[section])


def arguments(thing):
    """Return the parameters of a signature by name."""
    signature = inspect.signature(thing)
    return {name: x for name, x in signature.parameters.items() if name != "self"}


def default_of(kind):
    """Return what a type says of the default, or `inspect.Parameter.empty`."""
    found = re.search(r"default=(.*)$", kind)
    if found is None:
        return inspect.Parameter.empty
    if found[1] in ("np.nan", "np.inf"):
        return getattr(np, found[1].removeprefix("np."))
    return ast.literal_eval(found[1])


def is_same(one, other):
    both_nan = one is np.nan and other is np.nan
    return both_nan or (type(one) is type(other) and one == other)


def own_nodes(function):
    """Yield the nodes of a function's body, without functions inside it."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    waiting = list(ast.parse(source).body[0].body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def test_all_are_looked_at():
    assert {"VAEImputer", "load", "metrics.nrmse", "inference.Pooled"} <= {*objects()}
    assert {"VAEImputer.fit", "VAEImputer.save", "VAETransformer.sample"} <= {*METHODS}


@pytest.mark.parametrize("path", CLASSES | CALLABLES)
def test_parameters_are_those_of_the_signature(path):
    thing = (CLASSES | CALLABLES)[path]
    assert list(documented(thing)) == list(arguments(thing))


@pytest.mark.parametrize("path", CLASSES | CALLABLES)
def test_defaults_are_those_of_the_signature(path):
    thing = (CLASSES | CALLABLES)[path]
    for name, kind in documented(thing).items():
        if kind != "ignored":
            assert is_same(default_of(kind), arguments(thing)[name].default), name


@pytest.mark.parametrize("path", CALLABLES)
def test_returns_and_raises_are_described(path):
    thing = CALLABLES[path]
    nodes = list(own_nodes(thing))
    returns = any(isinstance(x, ast.Return) and x.value is not None for x in nodes)
    assert has_section(thing, "Returns") == returns
    if any(isinstance(x, ast.Raise) for x in nodes):
        assert has_section(thing, "Raises")


def example(thing):
    lines = FunctionDoc(thing)["Examples"]
    return "\n".join(x for x in lines if x.startswith((">>> ", "... ")))


@pytest.mark.parametrize("path", CLASSES | FUNCTIONS)
def test_there_is_an_example(path):
    # Results are shown by what makes them, displays by their class methods.
    maker = {
        "comparison.Comparison": "compare_imputers",
        "inference.Pooled": "pool",
        "report.Report": "report",
    }
    name = maker.get(path, path.rpartition(".")[2])
    shown = example((CLASSES | FUNCTIONS)[path])
    assert re.search(rf"\b{name}(\.from_\w+)?\(", shown)


@pytest.mark.parametrize("path", sorted(set(METHODS) - WITHOUT_EXAMPLE))
def test_there_is_an_example_of_each_method(path):
    owner, _, name = path.rpartition(".")
    shown = example(METHODS[path]) + example(CLASSES[owner])
    assert f".{name}(" in shown


@pytest.mark.parametrize("path", CLASSES | CALLABLES)
def test_summary_is_one_sentence(path):
    (summary,) = FunctionDoc((CLASSES | CALLABLES)[path])["Summary"]
    assert re.fullmatch(r"[A-Z].*[^.]\.", summary)


def linear():
    return VAEImputer(hidden_layer_sizes=(), random_state=0)


def fitted(path):
    """Return an estimator of a class, fitted to the penguins."""
    from sklearn.linear_model import LinearRegression, LogisticRegression

    X = load_penguins().select_dtypes("float64").dropna(ignore_index=True)
    y, kind = X["body_mass_g"], X["body_mass_g"] > 4000
    made = {
        "VAEImputer": lambda: linear().fit(X),
        "VAETransformer": lambda: CLASSES[path](hidden_layer_sizes=()).fit(X),
        "VAEClassifier": lambda: CLASSES[path](linear()).fit(X, kind),
        "VAERegressor": lambda: CLASSES[path](linear()).fit(X, y),
        "VAEOutlierDetector": lambda: CLASSES[path](linear()).fit(X),
        "inference.MultipleImputationClassifier": lambda: CLASSES[path](
            LogisticRegression(max_iter=10_000), linear(), n_imputations=2
        ).fit(X, kind),
        "inference.MultipleImputationRegressor": lambda: CLASSES[path](
            LinearRegression(), linear(), n_imputations=2
        ).fit(X, y),
        "comparison.Encoded": lambda: Encoded(linear()).fit(X),
    }
    return made[path]()


@pytest.mark.parametrize(
    "path", [path for path, owner in CLASSES.items() if hasattr(owner, "fit")]
)
def test_what_is_learned_is_described(path):
    estimator = fitted(path)
    learned = {x for x in dir(estimator) if re.fullmatch(r"[a-z].*[^_]_", x)}
    assert set(documented(CLASSES[path], "Attributes")) == learned


def test_the_reference_lists_all():
    page = Path(__file__).parents[1].joinpath("docs", "api.md").read_text("utf-8")
    listed = set()
    for module, names in re.findall(
        r"currentmodule:: (\S+)\n(.*?)```", page, flags=re.DOTALL
    ):
        entries = re.findall(r"^   ([\w.]+)$", names, flags=re.MULTILINE)
        listed |= {f"{module}.{name}".removeprefix("vaeimpute.") for name in entries}
    # `load` and `compare_imputers` also stand in modules of their own.
    twice = {"archive.load", "comparison.compare_imputers"}
    assert listed == set(objects()) - twice
