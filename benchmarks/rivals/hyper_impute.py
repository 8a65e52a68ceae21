"""HyperImpute (Jarrett et al., ICML 2022), from the library of its authors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


class HyperImpute(BaseEstimator):
    """Fill each column by the regressor or classifier that predicts it best.

    All settings are the library's defaults: columns are filled in turn, up to 40
    times, each by the best of a linear model, a random forest, XGBoost and CatBoost.

    The library counts a column as classes if it has fewer than `class_threshold`
    values, a missing cell being one of them, and would regress the codes of any other
    nominal column. So it is told which columns are nominal, and sees their levels as
    codes; for numeric columns its own rule holds. It fills the table that it is fitted
    to and no other rows.

    Parameters
    ----------
    class_threshold : int
        Numeric columns with fewer values are classified, not regressed.
    n_inner_iter : int
        Rounds at most.
    random_state : int
        Seeds the global generators, as the library does.
    """

    def __init__(self, class_threshold=5, n_inner_iter=40, random_state=0):
        self.class_threshold = class_threshold
        self.n_inner_iter = n_inner_iter
        self.random_state = random_state

    def fit_transform(self, X, y=None):
        from hyperimpute.plugins.imputers import Imputers

        imputer = Imputers().get(
            "hyperimpute",
            class_threshold=self.class_threshold,
            n_inner_iter=self.n_inner_iter,
            random_state=self.random_state,
        )
        codes = _codes(X)
        nominal = {str(j) for j, name in enumerate(X) if _is_nominal(X[name])}
        by_count = imputer.model._is_categorical
        imputer.model._is_categorical = lambda table, name: (
            name in nominal or by_count(table, name)
        )
        return _as_levels(imputer.fit_transform(codes), X)


def _is_nominal(column) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _codes(X) -> pd.DataFrame:
    """Return the table as numbers, levels as their positions among the categories."""
    columns = [
        column.cat.codes.where(column.notna()) if _is_nominal(column) else column
        for _, column in X.items()
    ]
    codes = np.column_stack([column.to_numpy(dtype=float) for column in columns])
    return pd.DataFrame(codes, columns=[str(j) for j in range(X.shape[1])])


def _as_levels(codes, X) -> pd.DataFrame:
    """Return a copy of the table whose missing cells are filled by those of `codes`."""
    filled = {}
    for j, name in enumerate(X):
        values = np.asarray(codes)[:, j]
        if _is_nominal(X[name]):
            values = pd.Categorical.from_codes(
                np.rint(values).astype(int), dtype=X[name].dtype
            )
        filled[name] = pd.Series(values, index=X.index)
    return X.fillna(filled)
