"""Hide observed cells of whole tables, to see how well they are filled.

`hidden_cells` draws the cells by one of the mechanisms that the literature compares,
`hide` takes them out of a table, and `ampute` does both. Some measures of what fills
them are in `vaeimpute.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.preprocessing import StandardScaler

from vaeimpute import _dtypes
from vaeimpute._containers import (
    Table,
    as_table,
    column_of,
    container_of,
    names_of,
    with_columns,
)
from vaeimpute._levels import distinct, in_order, is_free_text

#: Share of the columns that drive what goes missing at random, and stay whole.
_DRIVER_SHARE = 0.3


def ampute(
    X: Table,
    mechanism: str = "mcar",
    fraction: float = 0.3,
    *,
    columns: Sequence[Hashable] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Table:
    """Return a table without a share of its observed cells.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or array of shape (n_rows, n_columns)
        It is not changed.
    mechanism : str, default="mcar"
        How cells go missing, as in `hidden_cells`: "mcar", "mar", "mnar",
        "mnar-above-mean", "mnar-censored" or "blocks".
    fraction : float, default=0.3
        Share of the observed cells that go missing, at least 0 and below 1.
    columns : sequence of names or, for arrays, of positions, default=None
        The columns that may lose cells. None: all.
    random_state : int, Generator or None, default=None
        An int gives the same cells in every call, those of `hidden_cells`.

    Returns
    -------
    DataFrame or array of shape (n_rows, n_columns)
        As `hide` returns it.

    Raises
    ------
    ValueError, TypeError
        As in `hidden_cells`.

    Examples
    --------
    >>> import pandas as pd
    >>> from vaeimpute.amputation import ampute
    >>> X = pd.DataFrame({"age": [31, 45, 27, 60], "city": list("abca")})
    >>> incomplete = ampute(X, fraction=0.25, random_state=0)
    >>> int(incomplete.isna().to_numpy().sum())
    2
    """
    drawn = hidden_cells(
        X, mechanism, fraction, columns=columns, random_state=random_state
    )
    return hide(X, drawn)


def hide(X: Table, hidden: ArrayLike) -> Table:
    """Return a table without some cells.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or array of shape (n_rows, n_columns)
        It is not changed.
    hidden : array of shape (n_rows, n_columns), bool
        The cells that go missing.

    Returns
    -------
    DataFrame or array of shape (n_rows, n_columns)
        A dtype stays if it can be missing. Else, in a column of pandas that loses
        cells, it becomes the nullable one ("Int64", "boolean"); in an array that loses
        cells, integers become float64 and booleans objects.

    Raises
    ------
    ValueError
        If `hidden` is not a boolean array of the shape of the table.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.amputation import hide
    >>> hide(np.array([[1, 2], [3, 4]]), np.array([[True, False], [False, False]]))
    array([[nan,  2.],
           [ 3.,  4.]])
    """
    X, hidden = as_table(X), np.asarray(hidden)
    if hidden.dtype != bool or hidden.shape != X.shape:
        raise ValueError(
            f"hidden: got {hidden.dtype} of shape {hidden.shape}, "
            f"expected bool of shape {X.shape}"
        )
    if container_of(X) == "numpy":
        return _hide_in_array(X, hidden)
    losing = map(int, np.flatnonzero(hidden.any(axis=0)))
    return with_columns(
        X, {j: _hide_in_column(column_of(X, j), hidden[:, j]) for j in losing}
    )


def _hide_in_array(X: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    if X.dtype.kind not in "biufmMO":
        raise _dtypes.unsupported("X", X.dtype)
    if not hidden.any():
        return X.copy()
    with_room = {"b": object, "i": np.float64, "u": np.float64}
    X = X.astype(with_room.get(X.dtype.kind, X.dtype))
    X[hidden] = "NaT" if X.dtype.kind in "mM" else np.nan
    return X


def _hide_in_column(cells: pd.Series, hidden: np.ndarray) -> pd.Series:
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "biu":
        cells = cells.astype(pd.array(np.empty(0, cells.dtype)).dtype)
    # Position -1 gives what is missing in the dtype, whichever it is.
    positions = np.where(hidden, -1, np.arange(len(cells)))
    array = cells.array.take(positions, allow_fill=True)
    return pd.Series(array, index=cells.index, name=cells.name, copy=False)


def hidden_cells(
    X: Table,
    mechanism: str = "mcar",
    fraction: float = 0.3,
    *,
    columns: Sequence[Hashable] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> np.ndarray:
    """Draw the cells of a table to hide.

    Cells that are missing already are never drawn and count for nothing. A row may
    lose all its cells.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or array of shape (n_rows, n_columns)
        Numbers, booleans, text, categories, dates and durations.
    mechanism : str, default="mcar"
        How cells go missing. The mechanisms "mnar..." see the cell itself:

        - "mcar": completely at random, so many cells of the table as `fraction` says.
        - "mar": at random given drivers, columns that stay whole [1]_. A cell of
          column j goes missing with probability sigmoid(w_j · z + b_j), where z are
          the standardised drivers of its row. The weights are normal, scaled so that
          w_j · z has variance 1, and b_j is the root that gives each of the other
          columns the same share. Drivers are the columns that `columns` leaves out,
          or 30 % of all, drawn at random.
        - "mnar": by its own standardised value z, with probability sigmoid(z + b_j):
          high values go missing more (self-masking as in [1]_).
        - "mnar-above-mean": every value above the mean of its column, in as many
          columns, drawn at random, as `fraction` needs; in the last one some of
          these values, drawn at random [2]_.
        - "mnar-censored": the highest values of each column, all beyond one quantile;
          ties at random.
        - "blocks": whole groups of columns. The columns are split at random into G
          groups and some rows into G files, each of which keeps one group only. Thus
          no two groups are seen together but in the other rows, which are complete
          (file matching, [3]_). G is 2 up to a fraction of 1/2 and else the least
          with (G - 1) / G >= `fraction`.
    fraction : float, default=0.3
        Share of the observed cells that go missing, at least 0 and below 1: of all,
        or of those in `columns` if given. "mcar", "mnar-above-mean" and "blocks" hide
        exactly so many of the table, rounded ("blocks" a few less if all rows are in
        files); the others so many of each column that may lose any, up to one cell.
    columns : sequence of names or, for arrays, of positions, default=None
        The columns that may lose cells. None: all.
    random_state : int, Generator or None, default=None
        Source of randomness. An int gives the same cells in every call.

    Returns
    -------
    array of shape (n_rows, n_columns), bool
        Where a cell is to be hidden.

    Raises
    ------
    ValueError
        If a parameter is out of its range, `columns` are not in the table, the
        mechanism cannot hide so many cells, or there are too few columns for it.
    TypeError
        If X or `columns` are of a type that cannot be read.

    Notes
    -----
    "mar" and the mechanisms "mnar..." need numbers. Dates and durations are seconds,
    booleans 0 and 1, ordered categories the positions of their levels. Levels without
    an order count by how rare they are, from 0 for the most frequent; free text counts
    as constant. What is missing in a driver counts as its mean.

    Probabilities p become cells by systematic sampling in random order [4]_: each cell
    is drawn with its p, and the number of cells is their sum, up to one.

    References
    ----------
    .. [1] Muzellec, B., Josse, J., Boyer, C. and Cuturi, M. (2020). Missing data
       imputation using optimal transport. ICML 2020, section 4.
    .. [2] Ipsen, N. B., Mattei, P.-A. and Frellsen, J. (2021). not-MIWAE: deep
       generative modelling with missing not at random data. ICLR 2021, section 4.
    .. [3] Little, R. J. A. and Rubin, D. B. (2002). Statistical analysis with missing
       data, 2nd edition, section 1.2.
    .. [4] Madow, W. G. (1949). On the theory of systematic sampling, II. Annals of
       Mathematical Statistics 20(3), 333-354.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.amputation import hidden_cells
    >>> X = np.arange(12.0).reshape(6, 2)
    >>> hidden_cells(X, "mnar-censored", 0.5, random_state=0).astype(int).T
    array([[0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1]])
    """
    if mechanism not in _MECHANISMS:
        raise ValueError(
            f"mechanism: got {mechanism!r}, expected one of {sorted(_MECHANISMS)}"
        )
    if not isinstance(fraction, Real) or not 0 <= fraction < 1:
        raise ValueError(
            f"fraction: got {fraction!r}, expected a number of at least 0 and below 1"
        )
    rng = np.random.default_rng(random_state)
    X = as_table(X)
    names = names_of(X)
    exposed = _exposed(columns, names)
    values, missing = _read(X, names)
    count = round(fraction * np.count_nonzero(~missing[:, exposed]))
    if count == 0:
        return np.zeros(missing.shape, dtype=bool)
    task = _Task(values, ~missing, exposed, float(fraction), count)
    return _MECHANISMS[mechanism](task, rng)


class _Task(NamedTuple):
    """What a mechanism has to draw from, and how much.

    Attributes
    ----------
    values : array of shape (n_rows, n_columns), float64
        NaN where missing.
    observed : array of shape (n_rows, n_columns), bool
    exposed : array of shape (n_columns,), bool
        The columns that may lose cells.
    fraction : float
    count : int
        Number of the cells to hide, at least 1.
    """

    values: np.ndarray
    observed: np.ndarray
    exposed: np.ndarray
    fraction: float
    count: int


def _exposed(
    columns: Sequence[Hashable] | None, names: Sequence[Hashable]
) -> np.ndarray:
    if columns is None:
        return np.ones(len(names), dtype=bool)
    if isinstance(columns, (str, bytes)):
        raise TypeError(f"columns: got {columns!r}, expected a sequence of names")
    columns = list(columns)
    unknown = [name for name in columns if name not in names]
    if unknown or not columns:
        raise ValueError(
            f"columns: got {unknown or columns}, expected some of the columns of X"
        )
    return np.array([name in columns for name in names])


def _read(X: Table, names: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Return values and where they are missing, both (n_rows, n_columns)."""
    values, missing = np.empty(X.shape), np.empty(X.shape, dtype=bool)
    for j, name in enumerate(names):
        values[:, j], missing[:, j] = _read_column(column_of(X, j), name)
    return values, missing


def _read_column(cells: pd.Series, name: Hashable) -> tuple[np.ndarray, np.ndarray]:
    label = _dtypes.label_of(name)
    cells = _dtypes.view(cells, label)
    missing = _dtypes.missing_in(cells)
    values = np.full(len(cells), np.nan)
    values[~missing] = _sizes(cells[~missing], label)
    if np.isinf(values).any():
        raise _dtypes.infinity(label)
    return values, missing


def _sizes(observed: pd.Series, label: str) -> np.ndarray:
    """Return numbers, seconds, positions in an order, or how rare levels are."""
    content = _dtypes.content_of(observed)
    if content == "category":
        codes = observed.cat.codes.to_numpy()
        return codes if observed.cat.ordered else _rarity(codes)
    if content == "text":
        position, levels = distinct(observed, label)
        if is_free_text(position, levels):
            return np.zeros(len(position))
        code = {level: code for code, level in enumerate(in_order(levels))}
        return _rarity(np.array([code[level] for level in levels])[position])
    if _dtypes.clock_of(observed.dtype) is not None:
        return _dtypes.seconds(observed)
    return observed.to_numpy(dtype=np.float64)


def _rarity(codes: np.ndarray) -> np.ndarray:
    """Return for each cell how many levels come before its own by frequency."""
    counts = np.bincount(codes)
    rank = np.empty(len(counts), dtype=np.intp)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return rank[codes]


def _standardised(task: _Task) -> np.ndarray:
    """Return values of mean 0 and variance 1 in each column, 0 where missing."""
    scores = np.zeros(task.values.shape)
    known = task.observed.any(axis=0)
    scores[:, known] = StandardScaler().fit_transform(task.values[:, known])
    return np.where(task.observed, scores, 0.0)


def _draw_mcar(task: _Task, rng: np.random.Generator) -> np.ndarray:
    hidden = np.zeros(task.observed.shape, dtype=bool)
    candidates = np.flatnonzero(task.observed & task.exposed)
    hidden.flat[rng.choice(candidates, task.count, replace=False)] = True
    return hidden


def _draw_mar(task: _Task, rng: np.random.Generator) -> np.ndarray:
    scores = _standardised(task)
    drivers, losing = _split(scores, task, rng)
    n_cells = np.count_nonzero(task.observed[:, losing])
    if task.count >= n_cells:
        most = task.fraction * n_cells / task.count
        raise ValueError(
            f"fraction: got {task.fraction}, expected less than {most:.3g}, the share "
            "of the cells that are not in drivers"
        )
    weights = rng.normal(size=(len(drivers), len(losing)))
    linear = scores[:, drivers] @ weights
    logits = np.zeros(scores.shape)
    logits[:, losing] = linear / linear.std(axis=0)
    return _draw_logistic(logits, task.count / n_cells, losing, task, rng)


def _split(
    scores: np.ndarray, task: _Task, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the drivers and of the columns that lose cells."""
    # The largest of standardised numbers is at least 1, unless all are the same.
    varies = np.abs(scores).max(axis=0) > 0.5
    drivers = np.flatnonzero(varies & ~task.exposed)
    if task.exposed.all() and len(varies) > 1:
        number = max(1, round(_DRIVER_SHARE * len(varies)))
        candidates = np.flatnonzero(varies)
        number = min(number, len(candidates))
        drivers = rng.choice(candidates, number, replace=False)
    if not len(drivers):
        raise ValueError(
            "mechanism 'mar': got no column with different values to drive what goes "
            "missing in the others, expected one that may stay whole"
        )
    losing = np.setdiff1d(np.flatnonzero(task.exposed), drivers)
    return drivers, losing


def _draw_mnar(task: _Task, rng: np.random.Generator) -> np.ndarray:
    columns = np.flatnonzero(task.exposed)
    return _draw_logistic(_standardised(task), task.fraction, columns, task, rng)


def _draw_logistic(
    logits: np.ndarray,
    share: float,
    columns: np.ndarray,
    task: _Task,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a share of the cells of some columns, by shifted logits."""

    def by_sigmoid(j: int, rows: np.ndarray) -> np.ndarray:
        return _systematic_sample(_probabilities(logits[rows, j], share), rng)

    return _in_columns(task.observed, columns, by_sigmoid)


def _draw_censored(task: _Task, rng: np.random.Generator) -> np.ndarray:
    def by_quantile(j: int, rows: np.ndarray) -> np.ndarray:
        kept = len(rows) - math.floor(task.fraction * len(rows) + rng.random())
        order = np.lexsort((rng.random(len(rows)), task.values[rows, j]))
        drawn = np.zeros(len(rows), dtype=bool)
        drawn[order[kept:]] = True
        return drawn

    return _in_columns(task.observed, np.flatnonzero(task.exposed), by_quantile)


def _in_columns(
    observed: np.ndarray,
    columns: np.ndarray,
    draw: Callable[[int, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Draw cells of each column from its observed rows."""
    hidden = np.zeros(observed.shape, dtype=bool)
    for j in columns:
        rows = np.flatnonzero(observed[:, j])
        if len(rows):
            hidden[rows, j] = draw(j, rows)
    return hidden


def _probabilities(logits: np.ndarray, share: float) -> np.ndarray:
    """Return the sigmoids of logits, shifted so that their mean is the share."""

    def excess(intercept: float) -> float:
        return expit(logits + intercept).mean() - share

    # With the largest logit at that of the share no probability is above the share,
    # with the smallest there none is below: the root lies between.
    low, high = logit(share) - logits.max() - 1.0, logit(share) - logits.min() + 1.0
    return expit(logits + brentq(excess, low, high))


def _systematic_sample(
    probabilities: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    order = rng.permutation(len(probabilities))
    # Each time the sum passes a whole number, above a random start, a cell is drawn.
    steps = np.floor(np.cumsum(probabilities[order]) + rng.random())
    drawn = np.empty(len(order), dtype=bool)
    drawn[order] = np.diff(steps, prepend=0.0) > 0
    return drawn


def _draw_above_mean(task: _Task, rng: np.random.Generator) -> np.ndarray:
    shown = {"axis": 0, "where": task.observed}
    total = np.sum(task.values, **shown)
    mean = total / np.maximum(task.observed.sum(axis=0), 1)
    # The rounded mean of a column with one value may be below that value.
    mean = np.maximum(mean, np.min(task.values, **shown, initial=np.inf))
    row, column = np.nonzero(task.observed & task.exposed & (task.values > mean))
    if len(row) < task.count:
        most = task.fraction * len(row) / task.count
        raise ValueError(
            f"fraction: got {task.fraction}, expected at most {most:.3g}, the share of "
            "the cells that are above the mean of their column"
        )
    turn = rng.permutation(len(mean))[column]
    first = np.lexsort((rng.random(len(row)), turn))[: task.count]
    hidden = np.zeros(task.observed.shape, dtype=bool)
    hidden[row[first], column[first]] = True
    return hidden


def _draw_blocks(task: _Task, rng: np.random.Generator) -> np.ndarray:
    columns = np.flatnonzero(task.exposed)
    # Each file loses (G - 1) / G of its cells; 1 / (1 - 2/3) is a bit more than 3.
    n_groups = max(2, math.ceil(round(1 / (1 - task.fraction), 9)))
    if n_groups > len(columns):
        raise ValueError(
            f"fraction: got {task.fraction}, expected blocks of {len(columns)} columns "
            f"to leave each row a group of them, which takes {n_groups} columns"
        )
    group = rng.permutation(len(columns)) % n_groups
    order = rng.permutation(len(task.observed))
    # The files take turns, so that they are of one size wherever the count is reached.
    file = np.arange(len(order)) % n_groups
    lost = task.observed[np.ix_(order, columns)] & (group != file[:, np.newaxis])
    row, column = (at[: task.count] for at in np.nonzero(lost))
    hidden = np.zeros(task.observed.shape, dtype=bool)
    hidden[order[row], columns[column]] = True
    return hidden


_MECHANISMS: dict[str, Callable[[_Task, Any], np.ndarray]] = {
    "mcar": _draw_mcar,
    "mar": _draw_mar,
    "mnar": _draw_mnar,
    "mnar-above-mean": _draw_above_mean,
    "mnar-censored": _draw_censored,
    "blocks": _draw_blocks,
}
