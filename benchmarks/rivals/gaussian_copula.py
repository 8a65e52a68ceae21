"""Gaussian copula (Zhao & Udell, KDD 2020), from its authors' library gcimpute."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import BaseEstimator, TransformerMixin


class GaussianCopula(TransformerMixin, BaseEstimator):
    """Fill missing cells under a multivariate normal behind all columns.

    Settings and point estimates are the library's. A column in which one value makes
    up a tenth or more is ordinal by its rule, also where it would prefer a truncated
    one: its version 0.0.4 raises an error for those. It has no nominal columns. Each
    level but the first, which the others determine, enters as an ordinal column of 0
    and 1; its probability is read off how far its latent mean is above its threshold.
    Columns that do not vary, as levels that are never observed, are left out.

    Parameters
    ----------
    random_state : int
    """

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        from gcimpute.gaussian_copula import GaussianCopula as Copula

        encoded = _encoded(X)
        self.least_ = np.nanmin(encoded, axis=0)
        self.varies_ = self.least_ < np.nanmax(encoded, axis=0)
        encoded = encoded[:, self.varies_]
        self.copula_ = Copula(random_state=self.random_state)
        kinds = self.copula_.get_vartype_indices(encoded)
        ordinal = kinds != "continuous"
        ordinal[self.varies_[: X.select_dtypes("number").shape[1]].sum() :] = True
        # An empty list is an error, too.
        kinds = {"ordinal": list(np.flatnonzero(ordinal))} if ordinal.any() else {}
        self.copula_.fit(encoded, convergence_verbose=False, **kinds)
        self.thresholds_ = norm.isf(np.nanmean(encoded, axis=0))
        return self

    def transform(self, X):
        encoded = _encoded(X)[:, self.varies_]
        # What its own `transform` does, which keeps the latent means to itself.
        latent, lower, upper = self.copula_._observed_to_latent(encoded)
        latent, _ = self.copula_._fillup_latent(latent, lower, upper)
        filled = self.copula_._latent_to_imp(latent, encoded)
        votes = norm.cdf(latent - self.thresholds_)
        return _decoded(self._with_constants(filled), self._with_constants(votes), X)

    def draw(self, X, n_draws, random_state):
        """Return tables completed by draws from the fitted copula."""
        generator = np.random.default_rng(random_state)
        # What it draws by, and lets nobody set after the fit.
        self.copula_._rng = generator
        self.copula_._sample_seed = random_state
        drawn = self.copula_.sample_imputation(
            _encoded(X)[:, self.varies_], num=n_draws
        )
        # It draws all rows by the same noise: shuffled, they are independent.
        drawn = np.array([generator.permutation(row, axis=1) for row in drawn])
        tables = []
        for values in np.moveaxis(drawn, -1, 0):
            values = self._with_constants(values)
            # Of several levels of a cell drawn at once, any may be it.
            votes = values * generator.uniform(0.9, 1.0, values.shape)
            tables.append(_decoded(values, votes, X))
        return tables

    def _with_constants(self, values):
        whole = np.tile(self.least_, (len(values), 1))
        whole[:, self.varies_] = values
        return whole


def _encoded(X) -> np.ndarray:
    """Return the numbers, then the indicators of the levels of each nominal column."""
    blocks = [X.select_dtypes("number").to_numpy(dtype=float)]
    for _, column in X.select_dtypes("category").items():
        indicators = pd.get_dummies(column, drop_first=True, dtype=float)
        indicators[column.isna()] = np.nan
        blocks.append(indicators.to_numpy())
    return np.hstack(blocks)


def _decoded(filled, votes, X) -> pd.DataFrame:
    """Return the table with its numbers filled, and the levels of the most votes.

    The first level of a column gets one minus the votes of the others.
    """
    numeric = X.select_dtypes("number").columns
    start = len(numeric)
    columns = dict(zip(numeric, filled[:, :start].T, strict=True))
    for name, column in X.select_dtypes("category").items():
        end = start + len(column.cat.categories) - 1
        others = votes[:, start:end]
        codes = np.column_stack([1 - others.sum(axis=1), others]).argmax(axis=1)
        columns[name] = pd.Categorical.from_codes(codes, dtype=column.dtype)
        start = end
    return X.fillna({k: pd.Series(v, index=X.index) for k, v in columns.items()})
