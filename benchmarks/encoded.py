"""Imputers of numbers, made to work on tables with nominal columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone


class Encoded(TransformerMixin, BaseEstimator):
    """Another imputer, on columns as numbers of similar size.

    Numeric columns are standardised by the mean and sd of their observed cells. Each
    observed level of a nominal column becomes a column of 0 and 1, its indicator; all
    indicators of a missing cell are missing, and the level whose indicator is filled
    with the largest number is taken.

    With `drop_first` the first level has no indicator: its number is one minus the
    others. Regressions need that. Of all indicators, each is one minus the others to
    the dot, so that chained regressions would return the means they start from.
    """

    def __init__(self, imputer, drop_first=False):
        self.imputer = imputer
        self.drop_first = drop_first

    def fit(self, X, y=None):
        numbers = X.select_dtypes("number")
        self.centre_ = numbers.mean()
        self.scale_ = numbers.std(ddof=0).replace(0.0, 1.0)
        self.levels_ = {
            name: column.cat.remove_unused_categories().cat.categories
            for name, column in X.select_dtypes("category").items()
        }
        self.imputer_ = clone(self.imputer).fit(self._encode(X))
        return self

    def transform(self, X):
        values = self.imputer_.transform(self._encode(X))
        filled = X.copy()
        numeric = self.centre_.index
        numbers, indicators = np.split(values, [len(numeric)], axis=1)
        filled[numeric] = numbers * self.scale_.to_numpy() + self.centre_.to_numpy()
        for name, levels in self.levels_.items():
            n_kept = len(levels) - self.drop_first
            block, indicators = np.split(indicators, [n_kept], axis=1)
            if self.drop_first:
                block = np.column_stack([1 - block.sum(axis=1), block])
            chosen = levels.take(block.argmax(axis=1))
            filled[name] = pd.Categorical(chosen, dtype=X[name].dtype)
        return filled

    def _encode(self, X):
        """Return the numbers of all rows: numeric columns, then indicators."""
        parts = [((X[self.centre_.index] - self.centre_) / self.scale_).to_numpy()]
        for name, levels in self.levels_.items():
            cells = X[name].to_numpy(dtype=object)[:, None]
            indicators = (cells == levels[self.drop_first :].to_numpy()).astype(float)
            indicators[X[name].isna()] = np.nan
            parts.append(indicators)
        return np.hstack(parts)
