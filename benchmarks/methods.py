"""Names of methods and how to make them: imputers with the scikit-learn API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.impute import KNNImputer, SimpleImputer

from benchmarks.rivals.em_gaussian import GaussianEM
from benchmarks.rivals.miss_forest import MissForest
from vaeimpute import VAEImputer
from vaeimpute.comparison import Encoded

try:
    # Up to scikit-learn 1.9, IterativeImputer exists only after this import.
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
except ImportError:
    pass
from sklearn.impute import IterativeImputer


@dataclass(frozen=True)
class Method:
    """An imputer to compare.

    `make` returns a new imputer and can be pickled. The modules of `imports` are
    imported before the clock starts: a program pays for them once, not at every fit.
    """

    make: Callable[[], Any]
    imports: tuple[str, ...] = ()


METHODS = {
    "mean": Method(SimpleImputer),
    "mode": Method(partial(SimpleImputer, strategy="most_frequent")),
    "iterative": Method(
        partial(Encoded, IterativeImputer(max_iter=10), drop_first=True)
    ),
    "knn": Method(partial(Encoded, KNNImputer(n_neighbors=5))),
    "knn-distance": Method(
        partial(Encoded, KNNImputer(n_neighbors=5, weights="distance"))
    ),
    "em-gaussian": Method(partial(Encoded, GaussianEM(), drop_first=True)),
    "missforest": Method(partial(MissForest, random_state=0)),
    "vae": Method(partial(VAEImputer, random_state=0), imports=("keras",)),
}
