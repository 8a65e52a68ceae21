"""Names of methods and how to make them: imputers with the scikit-learn API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from sklearn.impute import KNNImputer, SimpleImputer

from benchmarks.rivals.chained_regressions import ChainedRegressions
from benchmarks.rivals.deep import GAIN, MIWAE
from benchmarks.rivals.em_gaussian import GaussianEM
from benchmarks.rivals.gaussian_copula import GaussianCopula
from benchmarks.rivals.hyper_impute import HyperImpute
from benchmarks.rivals.mice_forest import MiceForest
from benchmarks.rivals.miss_forest import MissForest
from vaeimpute import VAEImputer
from vaeimpute.comparison import Encoded


@dataclass(frozen=True)
class Method:
    """An imputer to compare.

    `make` returns a new imputer. The modules of `imports` are imported before the clock
    starts: a program pays for them once, not at every fit. `environment` is where the
    method runs; None is the environment of this process.
    """

    make: Callable[[], Any]
    imports: tuple[str, ...] = ()
    environment: str | None = None


#: The method that is judged.
JUDGED = "vae"

METHODS = {
    "mean": Method(partial(Encoded, SimpleImputer())),
    "mode": Method(partial(SimpleImputer, strategy="most_frequent")),
    "iterative": Method(
        partial(Encoded, ChainedRegressions(max_iter=10), drop_first=True)
    ),
    "knn": Method(partial(Encoded, KNNImputer(n_neighbors=5))),
    "knn-distance": Method(
        partial(Encoded, KNNImputer(n_neighbors=5, weights="distance"))
    ),
    "em-gaussian": Method(partial(Encoded, GaussianEM(), drop_first=True)),
    "missforest": Method(partial(MissForest, n_jobs=2, random_state=0)),
    "miceforest": Method(
        partial(MiceForest, random_state=0), ("miceforest",), "miceforest"
    ),
    "gaussian-copula": Method(
        partial(GaussianCopula, random_state=0),
        ("gcimpute.gaussian_copula",),
        "miceforest",
    ),
    "hyperimpute": Method(
        partial(HyperImpute, random_state=0),
        ("hyperimpute.plugins.imputers",),
        "hyperimpute",
    ),
    "miwae": Method(
        partial(Encoded, MIWAE(random_state=0)),
        ("hyperimpute.plugins.imputers",),
        "hyperimpute",
    ),
    "gain": Method(
        partial(Encoded, GAIN(random_state=0)),
        ("hyperimpute.plugins.imputers.plugin_gain",),
        "hyperimpute",
    ),
    "vae": Method(partial(VAEImputer, random_state=0), imports=("keras",)),
}


def method_named(name: str) -> Method:
    """Return a method of `METHODS`, or another one by ``module:attribute``."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute) if attribute else METHODS[name]
