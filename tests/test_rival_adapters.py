"""Adapters of other libraries' imputers, run where the library is installed."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement
from sklearn.base import clone

from vaeimpute.comparison import Encoded
from vaeimpute.metrics import nrmse

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries', of each other

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = sorted((ROOT / "benchmarks" / "environments").glob("*.txt"))
# By module of `benchmarks.rivals`: the library and, by class, settings for a test.
ADAPTERS = {
    "mice_forest": ("miceforest", {"MiceForest": {"n_iter": 2, "n_jobs": 1}}),
    "gaussian_copula": ("gcimpute", {"GaussianCopula": {}}),
    "hyper_impute": ("hyperimpute", {"HyperImpute": {"n_inner_iter": 2}}),
    "deep": (
        "hyperimpute",
        {
            "MIWAE": {"n_steps": 1_000, "n_samples": 100},
            "GAIN": {"n_steps": 2_000},
        },
    ),
}
CASES = [
    pytest.param(module, library, name, settings, id=name)
    for module, (library, classes) in ADAPTERS.items()
    for name, settings in classes.items()
]


def make(module, library, name, settings):
    """Return the imputer of a case, of mixed tables; skip without its library."""
    pytest.importorskip(library)
    imputer = getattr(importlib.import_module(f"benchmarks.rivals.{module}"), name)
    return Encoded(imputer(**settings)) if module == "deep" else imputer(**settings)


def fill(imputer, X):
    if hasattr(imputer, "transform"):
        return imputer.fit(X).transform(X)
    return imputer.fit_transform(X)


@pytest.fixture(scope="module")
def truth():
    """Return numbers and levels of one latent variable, under an index with repeats."""
    generator = np.random.default_rng(0)
    latent = generator.normal(size=200)
    noise = 0.1 * generator.normal(size=(200, 3))
    X = pd.DataFrame(latent[:, None] + noise, columns=["a", "b b", "{c}"])
    bins = [-np.inf, -0.8, -0.2, 0.3, 0.9, np.inf]
    X["size"] = pd.cut(latent, bins, labels=[*"vwxyz"], ordered=False)
    X["sign"] = pd.Categorical(np.where(latent > 0, "plus", "minus"))
    return X.set_index(np.arange(200) // 2)


@pytest.fixture(scope="module")
def hidden(truth):
    return np.random.default_rng(1).random(truth.shape) < 0.2


@pytest.mark.parametrize(("module", "library", "name", "settings"), CASES)
def test_adapter_fills_a_mixed_table(module, library, name, settings, truth, hidden):
    X = truth.mask(hidden)
    filled = fill(make(module, library, name, settings), X)
    pd.testing.assert_index_equal(filled.index, truth.index)
    pd.testing.assert_series_equal(filled.dtypes, truth.dtypes)
    assert not filled.isna().any(axis=None)
    pd.testing.assert_frame_equal(filled.mask(hidden), X)
    numbers = hidden[:, :3]
    error = nrmse(truth.iloc[:, :3], filled.iloc[:, :3], numbers)
    assert error < 0.7  # the mean would err by 1, the other columns tell nearly all
    right = (filled == truth).to_numpy()[hidden[:, 4], 4]
    assert right.mean() > 0.7


@pytest.mark.parametrize(("module", "library", "name", "settings"), CASES)
def test_seed_decides_the_filling(module, library, name, settings, truth, hidden):
    imputer = make(module, library, name, settings)
    X = truth.mask(hidden)
    first, second = fill(clone(imputer), X), fill(clone(imputer), X)
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.parametrize("module", ["mice_forest", "gaussian_copula"])
def test_draws_differ_in_missing_cells_only(module, truth, hidden):
    library, classes = ADAPTERS[module]
    (name, settings), *_ = classes.items()
    imputer = make(module, library, name, settings)
    X = truth.mask(hidden)
    fill(imputer, X)
    draws = imputer.draw(X, 4, random_state=3)
    again = imputer.draw(X, 4, random_state=3)
    assert len(draws) == 4
    for draw, same in zip(draws, again, strict=True):
        pd.testing.assert_frame_equal(draw, same)
        pd.testing.assert_frame_equal(draw.mask(hidden), X)
        assert not draw.isna().any(axis=None)
    spread = np.std([draw["a"] for draw in draws], axis=0)
    assert (spread[hidden[:, 0]] > 0).mean() > 0.5
    assert (spread[~hidden[:, 0]] == 0).all()


@pytest.mark.parametrize(("module", "library", "name", "settings"), CASES)
def test_adapter_fills_numbers_alone(module, library, name, settings, truth, hidden):
    numbers, missing = truth.iloc[:, :3], hidden[:, :3]
    filled = fill(make(module, library, name, settings), numbers.mask(missing))
    assert nrmse(numbers, filled, missing) < 0.7


def test_copula_fills_new_rows(truth, hidden):
    imputer = make("gaussian_copula", *_first("gaussian_copula"))
    X = truth.mask(hidden)
    filled = imputer.fit(X[:150]).transform(X[150:])
    error = nrmse(truth[150:].iloc[:, :3], filled.iloc[:, :3], hidden[150:, :3])
    assert error < 0.7


def test_copula_draws_each_row_by_its_own_noise():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)), columns=[*"ab"])
    X.loc[::2, "b"] = np.nan
    imputer = make("gaussian_copula", *_first("gaussian_copula")).fit(X)
    means = [draw.loc[::2, "b"].mean() for draw in imputer.draw(X, 20, random_state=0)]
    assert 0.03 < np.std(means) < 0.2  # 1 / sqrt(150); one noise for all rows: 1


def test_copula_never_fills_levels_that_are_not_observed(truth, hidden):
    X = truth.mask(hidden)
    X["size"] = X["size"].mask(X["size"] == "x")
    imputer = make("gaussian_copula", *_first("gaussian_copula"))
    filled = imputer.fit(X).transform(X)
    assert set(filled["size"]) == set("vwyz")
    assert set(imputer.draw(X, 1, random_state=0)[0]["size"]) == set("vwyz")


def _first(module):
    library, classes = ADAPTERS[module]
    return library, *next(iter(classes.items()))


@pytest.mark.parametrize("module", ADAPTERS)
def test_modules_import_without_their_library(module):
    library, classes = ADAPTERS[module]
    program = (
        "import pickle, sys\n"
        f"sys.modules[{library!r}] = None\n"
        f"from benchmarks.rivals import {module} as module\n"
        f"for name in {list(classes)}:\n"
        "    pickle.dumps(getattr(module, name)(random_state=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_requirements_are_bounded(path):
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    for requirement in requirements:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators in ({"=="}, {">=", "<"}), str(requirement)
    names = {requirement.name for requirement in requirements}
    assert names >= {"numpy", "pandas", "scikit-learn", "scipy", "joblib", "click"}
    assert {"sdv", *(library for library, _ in ADAPTERS.values())} & names


def test_there_are_environments():
    assert ENVIRONMENTS


def test_adapters_can_be_pickled_and_cloned():
    for module, (_, classes) in ADAPTERS.items():
        for name, settings in classes.items():
            kind = getattr(importlib.import_module(f"benchmarks.rivals.{module}"), name)
            imputer = pickle.loads(pickle.dumps(clone(kind(**settings))))
            assert settings.items() <= imputer.get_params().items()
