"""`Encoded`: any imputer of numbers, on tables of mixed columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from vaeimpute._containers import Table
from vaeimpute._tables import TableSchema

#: A level is never filled as impossible.
_LEAST_PROBABILITY = 1e-3


class Encoded(TransformerMixin, BaseEstimator):
    """Another imputer, on columns as numbers of similar size.

    Numeric columns, dates and durations are standardised by the mean and the standard
    deviation of their observed cells. Each observed level of a nominal column becomes
    a column of 0 and 1, its indicator; all indicators of a missing cell are missing,
    and the level whose indicator is filled with the largest number is taken. So
    imputers of numbers fill any table: with ``SimpleImputer()`` means and the most
    frequent levels.

    Parameters
    ----------
    imputer : estimator
        Imputer of arrays of floats with gaps, such as those of scikit-learn.
    drop_first : bool, default=False
        Whether the first level has no indicator: its number is one minus the others.
        Regressions need that. Of all indicators, each is one minus the others to the
        dot, so that chained regressions would return the means they start from.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names, positions,
        or one boolean per column.

    Attributes
    ----------
    imputer_ : estimator
        The fitted clone of `imputer`.

    Notes
    -----
    Free text, and columns without an observed cell at fit, are left as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.impute import KNNImputer
    >>> from vaeimpute.comparison import Encoded
    >>> X = pd.DataFrame(
    ...     {"size": [1.0, 2.0, None, 8.0], "kind": ["cat", "cat", "horse", None]}
    ... )
    >>> imputer = Encoded(KNNImputer(n_neighbors=1)).fit(X)
    >>> imputer.transform(X)["kind"].tolist()
    ['cat', 'cat', 'horse', 'cat']
    >>> imputer.predict_proba(X)["kind"].loc[[3]].round(2)
       cat  horse
    3  1.0    0.0
    """

    def __init__(self, imputer, *, drop_first=False, categorical_features="from_dtype"):
        self.imputer = imputer
        self.drop_first = drop_first
        self.categorical_features = categorical_features

    def fit(self, X: Table, y: Any = None) -> Encoded:
        """Learn the scales and levels of a table, and fit the imputer on it.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with gaps.
        y : ignored

        Returns
        -------
        Encoded
            The imputer itself.
        """
        self._schema = TableSchema.infer(
            X,
            categorical_features=self.categorical_features,
            text_features="passthrough",
        )
        values, _ = self._schema.read(X)
        observed = np.flatnonzero(~np.isnan(values).all(axis=0)).tolist()
        kinds = [column.kind for column in self._schema.columns]
        self._numeric = [j for j in observed if kinds[j] == "numeric"]
        self._levels = {
            j: np.unique(values[~np.isnan(values[:, j]), j])
            for j in observed
            if kinds[j] == "nominal"
        }
        self._centre = np.nanmean(values[:, self._numeric], axis=0)
        scale = np.nanstd(values[:, self._numeric], axis=0)
        self._scale = np.where(scale > 0, scale, 1.0)
        self.imputer_ = clone(self.imputer).fit(self._encode(values))
        return self

    def transform(self, X: Table) -> Table:
        """Fill the missing cells of a table.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            A copy of `X` with its missing cells filled, but for those that the imputer
            leaves empty.
        """
        values, missing = self._read(X)
        filled = self.imputer_.transform(self._encode(values))
        return self._decode(X, values, missing, np.asarray(filled))

    def predict_proba(self, X: Table) -> dict[Any, pd.DataFrame]:
        """Return the filled indicators of nominal columns, as probabilities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.

        Returns
        -------
        dict of column to DataFrame of shape (n_rows, n_levels)
            Indicators that are filled with less than 0.001, as regressions do, count
            as so much; rows are scaled to sum to 1.
        """
        values, _ = self._read(X)
        filled = np.asarray(self.imputer_.transform(self._encode(values)))
        index = X.index if isinstance(X, pd.DataFrame) else None
        probabilities = {}
        for j, block in self._blocks(filled):
            column = self._schema.columns[j]
            block = np.maximum(block, _LEAST_PROBABILITY)
            probabilities[column.name] = pd.DataFrame(
                block / block.sum(axis=1, keepdims=True),
                index=index,
                columns=[column.levels[int(code)] for code in self._levels[j]],
            )
        return probabilities

    @available_if(lambda self: hasattr(self.imputer, "draw"))
    def draw(self, X: Table, n_draws: int, random_state: Any = None) -> list[Table]:
        """Draw fillings of a table, if the imputer has a method `draw`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.
        n_draws : int
            Number of tables.
        random_state : int, Generator or None, default=None
            Source of randomness.

        Returns
        -------
        list of DataFrames or arrays of shape (n_rows, n_columns)
            Copies of `X` with its missing cells filled.
        """
        values, missing = self._read(X)
        draws = self.imputer_.draw(self._encode(values), n_draws, random_state)
        return [self._decode(X, values.copy(), missing, draw) for draw in draws]

    def _read(self, X: Table) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a table's cells, and which are missing."""
        check_is_fitted(self)
        return self._schema.read(X)

    def _decode(
        self, X: Table, values: np.ndarray, missing: np.ndarray, filled: np.ndarray
    ) -> Table:
        """Return the table with the filled numbers and the likeliest levels."""
        standard = filled[:, : len(self._numeric)]
        values[:, self._numeric] = standard * self._scale + self._centre
        for j, block in self._blocks(filled):
            values[:, j] = self._levels[j][block.argmax(axis=1)]
            values[np.isnan(block).any(axis=1), j] = np.nan
        return self._schema.write(X, values, missing)

    def _blocks(self, filled: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each nominal column's position and the indicators of all its levels."""
        start = len(self._numeric)
        for j, levels in self._levels.items():
            stop = start + len(levels) - self.drop_first
            block, start = filled[:, start:stop], stop
            if self.drop_first:
                block = np.column_stack([1 - block.sum(axis=1), block])
            yield j, block

    def _encode(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers of all rows: numeric columns, then indicators."""
        parts = [(values[:, self._numeric] - self._centre) / self._scale]
        for j, levels in self._levels.items():
            codes = values[:, [j]]
            indicators = (codes == levels[self.drop_first :]).astype(np.float64)
            parts.append(np.where(np.isnan(codes), np.nan, indicators))
        return np.hstack(parts)
