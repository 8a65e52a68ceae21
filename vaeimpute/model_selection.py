"""Score imputers by the cells that they fill, for the searches of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.impute import MissingIndicator
from sklearn.pipeline import Pipeline

from vaeimpute._containers import Table
from vaeimpute._generation import check_count
from vaeimpute._hidden_cells import (
    check_fraction,
    choose_cells,
    column_positions,
    hide_cells,
    read_cells,
    read_columns,
)
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
    check_fraction(fraction)
    if not isinstance(metric, str) or metric not in _METRICS:
        raise ValueError(f"metric: got {metric!r}, expected one of {list(_METRICS)}")
    check_count(random_state, "random_state", 0)
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
        X, schema, truth, missing = read_cells(imputer, X)
        hidden = choose_cells(~missing, self.fraction, self.random_state)
        out = imputer.transform(hide_cells(X, hidden, imputer.missing_values))
        position = column_positions(imputer, X.shape[1], out.shape[1])
        scored = [j for j in position if schema.columns[j].kind == kind]
        if not scored:
            raise ValueError(
                f"metric: got {self.metric!r}, expected a table with {kind} columns "
                f"that {type(imputer).__name__} gives back"
            )
        filled = read_columns(
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
