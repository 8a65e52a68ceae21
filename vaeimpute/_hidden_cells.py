"""Hide observed cells from an imputer, and read what it fills them with.

Shared by those who judge imputers on a table's own cells: `model_selection` scores one
estimator, `comparison` compares several, `diagnostics` draws.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from vaeimpute._columns import Column
from vaeimpute._containers import Table, container_of, convert
from vaeimpute._tables import TableSchema


def read_cells(estimator: Any, X: Table) -> tuple[Table, TableSchema, np.ndarray, Any]:
    """Read a table as an estimator sees it.

    Parameters
    ----------
    estimator : estimator
        Its `categorical_features` and `missing_values` count, if it has such.
    X : DataFrame or array of shape (n_rows, n_columns)

    Returns
    -------
    X : DataFrame of pandas, or array
        The table; cells can be hidden in it.
    schema : TableSchema
        What its columns are; free text is let through.
    values, missing : arrays of shape (n_rows, n_columns)
        As from `TableSchema.read`.
    """
    if container_of(X) == "polars":
        X = convert(X, "pandas", X.columns)
    elif container_of(X) == "numpy":
        # Of a list, NumPy would turn the numbers beside text into text.
        X = np.asarray(X, dtype=None if hasattr(X, "__array__") else object)
    schema = TableSchema.infer(
        X,
        categorical_features=getattr(estimator, "categorical_features", None),
        missing_values=getattr(estimator, "missing_values", np.nan),
        text_features="passthrough",  # which nobody fills, so nothing is judged
    )
    return X, schema, *schema.read(X)


def check_fraction(fraction: Any) -> None:
    """Refuse what is no share of the observed cells."""
    if not isinstance(fraction, Real) or not 0 < fraction < 1:
        raise ValueError(f"fraction: got {fraction!r}, expected a number in (0, 1)")


def choose_cells(observed: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which cells to hide: a share of the observed ones of each column."""
    rng = np.random.default_rng(seed)
    hidden = np.zeros_like(observed)
    for j in range(observed.shape[1]):
        rows = np.flatnonzero(observed[:, j])
        n_hidden = max(round(fraction * len(rows)), int(len(rows) >= 2))
        hidden[rng.choice(rows, n_hidden, replace=False), j] = True
    return hidden


def hide_cells(X: Table, hidden: np.ndarray, marker: Any) -> Table:
    """Return a copy of a table with `marker` in the hidden cells."""
    if isinstance(X, pd.DataFrame):
        X = X.copy()
        for j in np.flatnonzero(hidden.any(axis=0)):
            X.isetitem(j, _hide_in_column(X.iloc[:, j], hidden[:, j], marker))
        return X
    if X.dtype.kind in "OU" or isinstance(marker, str):
        X = X.astype(object)
    else:
        X = X.astype(np.float64 if X.dtype.kind in "biu" else X.dtype)
        marker = np.nan if pd.isna(marker) else marker
    X[hidden] = marker
    return X


def _hide_in_column(cells: pd.Series, hidden: np.ndarray, marker: Any) -> pd.Series:
    """Return a column with `marker` in the hidden cells, in a dtype that can hold it.

    Booleans become objects, not "boolean": scikit-learn fills tables with text and NaN,
    but fails where they hold NA.
    """
    if not types.is_object_dtype(cells.dtype):
        try:
            return cells.mask(hidden) if pd.isna(marker) else cells.mask(hidden, marker)
        except (TypeError, ValueError):  # a sentinel that the dtype cannot hold
            pass
    objects = cells.to_numpy(dtype=object, copy=True)
    objects[hidden] = marker
    return pd.Series(objects, index=cells.index, dtype=object)


def column_positions(imputer: Any, n_in: int, n_out: int) -> dict[int, int]:
    """Return for each column where it is in the output; dropped columns are not."""
    if hasattr(imputer, "get_feature_names_out"):
        names = imputer.get_feature_names_out()
        given = getattr(imputer, "feature_names_in_", [f"x{j}" for j in range(n_in)])
        # KNNImputer(keep_empty_features=True) does not name all columns that it gives.
        if len(names) == n_out:
            position = {name: k for k, name in enumerate(names)}
            return {j: position[x] for j, x in enumerate(given) if x in position}
    if n_out < n_in:
        raise ValueError(
            f"estimator: got {n_out} columns from the transform of "
            f"{type(imputer).__name__} and no names for them, expected {n_in}"
        )
    return {j: j for j in range(n_in)}  # indicators, if any, follow


def read_columns(out: Any, positions: list[int], columns: list[Column]) -> np.ndarray:
    """Return the values of some columns of the output of an imputer."""
    if container_of(out) == "numpy":
        out = np.asarray(out)[:, positions]
    else:
        out = convert(out, "pandas", out.columns).iloc[:, positions]
    # Without the sentinel: a mean can happen to equal it.
    values, missing = TableSchema(tuple(columns), "numpy").read(out)
    values[np.isnan(values) & ~missing] = -1.0  # a level not in X, so a wrong one
    return values
