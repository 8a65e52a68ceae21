"""Names of methods and how to make them: imputers with the scikit-learn API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from vaeimpute import VAEImputer

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


class Standardised(TransformerMixin, BaseEstimator):
    """Another imputer, on columns scaled by the mean and sd of their observed cells."""

    def __init__(self, imputer):
        self.imputer = imputer

    def fit(self, X, y=None):
        self.scaler_ = StandardScaler().fit(X)
        self.imputer_ = clone(self.imputer).fit(self.scaler_.transform(X))
        return self

    def transform(self, X):
        filled = self.imputer_.transform(self.scaler_.transform(X))
        return self.scaler_.inverse_transform(filled)


METHODS = {
    "mean": Method(SimpleImputer),
    "iterative": Method(partial(Standardised, IterativeImputer(max_iter=10))),
    "vae": Method(partial(VAEImputer, random_state=0), imports=("keras",)),
}
