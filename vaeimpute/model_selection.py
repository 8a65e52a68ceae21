"""Score imputers by the cells that they fill, for the searches of scikit-learn."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.impute import MissingIndicator
from sklearn.pipeline import Pipeline

from vaeimpute._columns import Column
from vaeimpute._containers import Table, container_of, convert
from vaeimpute._tables import TableSchema
from vaeimpute.metrics import accuracy, mae, nrmse

# Kind of the columns that a metric scores, the metric, and its sign in the score.
_METRICS = {
    "nrmse": ("numeric", nrmse, -1.0),
    "mae": ("numeric", mae, -1.0),
    "accuracy": ("nominal", accuracy, 1.0),
}


def hidden_cell_score(
    *, fraction: float = 0.2, metric: str = "nrmse", random_state: int = 0
) -> _HiddenCellScorer:
    """Make a scorer that hides cells of a table and looks how they are filled.

    Pass it as ``scoring`` to :class:`~sklearn.model_selection.GridSearchCV` or
    :func:`~sklearn.model_selection.cross_val_score`. In each column it hides a share of
    the observed cells of the test rows, calls ``transform`` of the fitted imputer, and
    compares the hidden cells with what was filled in. No complete table is needed:
    cells that were missing before are not scored.

    Parameters
    ----------
    fraction : float in (0, 1), default=0.2
        Share of the observed cells of each column to hide, rounded to whole cells; at
        least one where two or more are observed.
    metric : {"nrmse", "mae", "accuracy"}, default="nrmse"
        "nrmse" and "mae" score the numeric columns: the root mean squared and the mean
        absolute error, in standard deviations of the column in the test rows, negated.
        "accuracy" scores the nominal columns (text, categories, booleans and the
        `categorical_features` of the imputer): the share of right levels.
    random_state : int, default=0
        Seed that chooses the cells. It hides the same cells for each candidate of a
        search and for each metric.

    Returns
    -------
    callable
        ``scorer(estimator, X, y=None)`` returns a float; greater is better.

    Raises
    ------
    ValueError
        If a parameter is not as described; by the scorer, if `estimator` holds no
        imputer, or `X` no column that `metric` can score.

    Notes
    -----
    The imputer may be a step of a :class:`~sklearn.pipeline.Pipeline`, also a nested
    one: the first step with `missing_values` and `transform` that is not a
    :class:`~sklearn.impute.MissingIndicator`. Cells are then hidden in what the steps
    before it return, and compared there. Otherwise a pipeline with a scaler would
    compare scaled with raw numbers. So errors of candidates that differ in those steps
    are errors of different tables.

    Examples
    --------
    >>> from sklearn.impute import KNNImputer
    >>> from sklearn.model_selection import GridSearchCV
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.model_selection import hidden_cell_score
    >>> bills = load_penguins()[["bill_length_mm", "bill_depth_mm", "body_mass_g"]]
    >>> search = GridSearchCV(
    ...     KNNImputer(), {"n_neighbors": [1, 5, 300]}, scoring=hidden_cell_score()
    ... )
    >>> search.fit(bills).best_params_
    {'n_neighbors': 5}
    """
    if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
        raise ValueError(f"fraction: got {fraction!r}, expected a number in (0, 1)")
    if not isinstance(metric, str) or metric not in _METRICS:
        raise ValueError(f"metric: got {metric!r}, expected one of {list(_METRICS)}")
    is_integer = isinstance(random_state, numbers.Integral)
    if not is_integer or isinstance(random_state, bool) or random_state < 0:
        raise ValueError(
            f"random_state: got {random_state!r}, expected an integer >= 0"
        )
    return _HiddenCellScorer(float(fraction), metric, int(random_state))


@dataclass(frozen=True)
class _HiddenCellScorer:
    """The scorer: a class, because functions made by a function cannot be pickled."""

    fraction: float
    metric: str
    random_state: int

    def __call__(self, estimator: Any, X: Table, y: Any = None) -> float:
        """Return the score of the imputer of a fitted estimator."""
        kind, error, sign = _METRICS[self.metric]
        before, imputer = _split_at_imputer(estimator)
        for step in before:
            X = step.transform(X)
        if container_of(X) == "polars":
            X = convert(X, "pandas", X.columns)
        elif container_of(X) == "numpy":
            # Of a list, NumPy would turn the numbers beside text into text.
            X = np.asarray(X, dtype=None if hasattr(X, "__array__") else object)
        schema = TableSchema.infer(
            X,
            categorical_features=getattr(imputer, "categorical_features", None),
            missing_values=imputer.missing_values,
            text_features="passthrough",  # which nobody fills, so nothing is scored
        )
        truth, missing = schema.read(X)
        hidden = _choose(~missing, self.fraction, self.random_state)
        out = imputer.transform(_hide(X, hidden, imputer.missing_values))
        position = _positions(imputer, X.shape[1], out.shape[1])
        scored = [j for j in position if schema.columns[j].kind == kind]
        if not scored:
            raise ValueError(
                f"metric: got {self.metric!r}, expected a table with {kind} columns "
                f"that {type(imputer).__name__} gives back"
            )
        filled = _read(
            out, [position[j] for j in scored], [schema.columns[j] for j in scored]
        )
        return sign * error(truth[:, scored], filled, hidden[:, scored])


def _split_at_imputer(estimator: Any) -> tuple[list[Any], Any]:
    """Return the steps before the imputer, and the imputer."""
    steps = _steps(estimator)
    for position, step in enumerate(steps):
        if _is_imputer(step):
            return steps[:position], step
    raise ValueError(
        f"estimator: got {type(estimator).__name__} without an imputer to score, "
        "expected an imputer, or a Pipeline with one as a step: with a parameter "
        "`missing_values` and a method `transform` that gives the columns back. An "
        "imputer inside a ColumnTransformer or FeatureUnion is not looked for: score "
        "it on its own, on its columns of the table"
    )


def _steps(estimator: Any) -> list[Any]:
    """Return the steps of a pipeline, of the pipelines in it as well."""
    estimator = getattr(estimator, "best_estimator_", estimator)  # of a search
    if not isinstance(estimator, Pipeline):
        return [estimator]
    steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in _steps(step)]


def _is_imputer(step: Any) -> bool:
    # These also know missing values, but give other columns back.
    others = (MissingIndicator, ClassNamePrefixFeaturesOutMixin)
    has_both = hasattr(step, "missing_values") and hasattr(step, "transform")
    return has_both and not isinstance(step, others)


def _choose(observed: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return which cells to hide: a share of the observed ones of each column."""
    rng = np.random.default_rng(seed)
    hidden = np.zeros_like(observed)
    for j in range(observed.shape[1]):
        rows = np.flatnonzero(observed[:, j])
        n_hidden = max(round(fraction * len(rows)), int(len(rows) >= 2))
        hidden[rng.choice(rows, n_hidden, replace=False), j] = True
    return hidden


def _hide(X: Table, hidden: np.ndarray, marker: Any) -> Table:
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


def _positions(imputer: Any, n_in: int, n_out: int) -> dict[int, int]:
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


def _read(out: Any, positions: list[int], columns: list[Column]) -> np.ndarray:
    """Return the values of some columns of the output of an imputer."""
    if container_of(out) == "numpy":
        out = np.asarray(out)[:, positions]
    else:
        out = convert(out, "pandas", out.columns).iloc[:, positions]
    # Without the sentinel: a mean can happen to equal it.
    values, missing = TableSchema(tuple(columns), "numpy").read(out)
    values[np.isnan(values) & ~missing] = -1.0  # a level not in X, so a wrong one
    return values
