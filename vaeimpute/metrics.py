"""Errors of filled tables, over hidden cells: cells whose true value is known.

Three groups: `nrmse`, `mae`, `skill` and `accuracy` judge one filled table; `log_loss`,
`crps`, `coverage` and `interval_score` judge probabilities or draws, so what an
imputer says about its own uncertainty; `energy_distance` compares whole rows.

All but the last take arrays of shape (n_rows, n_columns): numbers, or level codes for
`accuracy` and `log_loss`. Only the cells where `hidden` is True count; all cells weigh
the same, so a column with more hidden cells counts for more. `skill` is by column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from sklearn.utils import check_random_state

#: Distances between rows that are held in memory together: 16 MiB.
_DISTANCES_AT_ONCE = 2**21


def nrmse(
    truth: ArrayLike,
    filled: ArrayLike,
    hidden: ArrayLike,
    scale: ArrayLike | None = None,
) -> float:
    """Return the root mean squared error, in standard deviations of the column.

    Filling the mean of the column gives about 1, whatever its unit.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    filled : array of shape (n_rows, n_columns)
        Numbers that were filled in.
    hidden : array of shape (n_rows, n_columns), bool
        Where to compare the two.
    scale : array of shape (n_columns,), default=None
        Unit of the errors of each column. None: the standard deviation of the known
        numbers of `truth`. Columns with a scale of 0, which have no spread, are left
        out.

    Returns
    -------
    float
        Error, at least 0; 0 is best.

    Raises
    ------
    ValueError
        If shapes differ, a hidden cell of `truth` or `filled` is not finite, or no
        hidden cell is in a column with spread.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import nrmse
    >>> truth = np.array([[1.0, 10.0], [3.0, 50.0]])  # standard deviations 1 and 20
    >>> hidden = np.array([[True, False], [False, True]])
    >>> filled = np.array([[1.3, 10.0], [3.0, 42.0]])  # off by 0.3 and 0.4 of them
    >>> round(nrmse(truth, filled, hidden), 6)
    0.353553
    """
    errors = _scaled_errors(*_checked(truth, filled, hidden), scale)
    return float(np.sqrt(np.mean(errors**2)))


def mae(
    truth: ArrayLike,
    filled: ArrayLike,
    hidden: ArrayLike,
    scale: ArrayLike | None = None,
) -> float:
    """Return the mean absolute error, in standard deviations of the column.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    filled : array of shape (n_rows, n_columns)
        Numbers that were filled in.
    hidden : array of shape (n_rows, n_columns), bool
        Where to compare the two.
    scale : array of shape (n_columns,), default=None
        Unit of the errors of each column. None: the standard deviation of the known
        numbers of `truth`. Columns with a scale of 0, which have no spread, are left
        out.

    Returns
    -------
    float
        Error, at least 0; 0 is best.

    Raises
    ------
    ValueError
        If shapes differ, a hidden cell of `truth` or `filled` is not finite, or no
        hidden cell is in a column with spread.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import mae
    >>> truth = np.array([[1.0, 10.0], [3.0, 50.0]])  # standard deviations 1 and 20
    >>> hidden = np.array([[True, False], [False, True]])
    >>> filled = np.array([[1.3, 10.0], [3.0, 42.0]])  # off by 0.3 and 0.4 of them
    >>> round(mae(truth, filled, hidden), 6)
    0.35
    """
    errors = _scaled_errors(*_checked(truth, filled, hidden), scale)
    return float(np.mean(np.abs(errors)))


def skill(
    truth: ArrayLike,
    filled: ArrayLike,
    hidden: ArrayLike,
    baseline: ArrayLike | None = None,
) -> np.ndarray:
    """Return the skill of each column: the share of the mean's squared error avoided.

    The skill score of Murphy (1988), 1 - MSE(filled) / MSE(baseline), known as R².
    Unlike a squared correlation it also counts a wrong scale or a shift.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    filled : array of shape (n_rows, n_columns)
        Numbers that were filled in.
    hidden : array of shape (n_rows, n_columns), bool
        Where to compare the two.
    baseline : array of shape (n_columns,), default=None
        Number that each column would be filled with otherwise, such as its mean over
        the training rows. None: the mean of the known cells of `truth` that are not
        hidden, which is what mean imputation of this table fills in.

    Returns
    -------
    array of shape (n_columns,)
        Skills, at most 1, which is best; 0: no better than the baseline. NaN where a
        column has no hidden cell or the baseline makes no error.

    Raises
    ------
    ValueError
        If shapes differ, no cell is hidden, a hidden cell of `truth` or `filled` is
        not finite, or the baseline of a column with hidden cells is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import skill
    >>> truth = np.array([[0.0, 10.0], [4.0, 20.0], [2.0, 30.0]])
    >>> hidden = np.array([[True, False], [True, False], [False, True]])
    >>> filled = np.array([[1.0, 10.0], [3.0, 20.0], [2.0, 15.0]])
    >>> skill(truth, filled, hidden)  # the means of the other cells are 2 and 15
    array([0.75, 0.  ])
    """
    truth, filled, hidden = _checked(truth, filled, hidden)
    if baseline is None:
        baseline = _mean_of_others(truth, hidden)
    baseline = _checked_by_column("baseline", baseline, hidden.any(axis=0))
    row, column = np.nonzero(hidden)
    true, base = truth[row, column], baseline[column]
    # Rounding moves the mean of a constant column off its constant.
    is_exact = np.isclose(base, true, rtol=1e-14, atol=0.0)
    squares, base_squares = (
        np.bincount(column, weights=errors**2, minlength=truth.shape[1])
        for errors in (filled[row, column] - true, np.where(is_exact, 0, base - true))
    )
    undefined = np.full(truth.shape[1], np.nan)
    return 1 - np.divide(squares, base_squares, out=undefined, where=base_squares > 0)


def accuracy(truth: ArrayLike, filled: ArrayLike, hidden: ArrayLike) -> float:
    """Return the share of the hidden cells that hold the true level.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        Codes of the true levels. NaN where they are not known, but not in a hidden
        cell.
    filled : array of shape (n_rows, n_columns)
        Codes of the levels that were filled in.
    hidden : array of shape (n_rows, n_columns), bool
        Where to compare the two.

    Returns
    -------
    float
        Share from 0 to 1; 1 is best.

    Raises
    ------
    ValueError
        If shapes differ, a hidden cell of `truth` or `filled` is not finite, or no cell
        is hidden.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import accuracy
    >>> truth = np.array([[0, 2], [1, 1]])
    >>> filled = np.array([[0, 0], [1, 1]])
    >>> accuracy(truth, filled, hidden=np.array([[True, True], [True, True]]))
    0.75
    """
    truth, filled, hidden = _checked(truth, filled, hidden)
    return float(np.mean(truth[hidden] == filled[hidden]))


def log_loss(
    truth: ArrayLike, probabilities: Sequence[ArrayLike], hidden: ArrayLike
) -> float:
    """Return the mean of -log p(true level) over the hidden cells, in nats.

    The logarithmic score, a proper score (Gneiting & Raftery 2007, section 3).
    Probabilities below 2.2e-16 count as that much, as in
    `sklearn.metrics.log_loss`: one sure but wrong cell costs 36, not infinity.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        Codes of the true levels: 0, 1, ... in each column. NaN where they are not
        known, but not in a hidden cell.
    probabilities : sequence of n_columns arrays of shape (n_rows, n_levels)
        Probability of each level of the column, in the order of the codes; columns
        may differ in their number of levels. Only the rows of hidden cells are
        read; columns without any may hold None.
    hidden : array of shape (n_rows, n_columns), bool
        Cells to score.

    Returns
    -------
    float
        Loss, at least 0; 0 is best. Equal probabilities give log(n_levels).

    Raises
    ------
    ValueError
        If shapes differ, no cell is hidden, a hidden cell of `truth` is not the code
        of a level, or its probabilities are negative or do not sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import log_loss
    >>> truth = np.array([[0, 2], [1, 0]])
    >>> probabilities = [[[1.0, 0.0], [0.5, 0.5]], [[0.25, 0.25, 0.5], [0.2, 0.4, 0.4]]]
    >>> hidden = np.array([[True, True], [True, False]])
    >>> round(log_loss(truth, probabilities, hidden), 6)  # 2/3 log(2)
    0.462098
    """
    truth, hidden = _checked_truth(truth, hidden)
    if len(probabilities) != truth.shape[1]:
        raise ValueError(
            f"probabilities: got {len(probabilities)} arrays, expected "
            f"{truth.shape[1]}, one for each column"
        )
    of_truth = np.concatenate(
        [
            _probabilities_of(truth[:, column], probabilities[column], rows, column)
            for column, rows in enumerate(hidden.T)
            if rows.any()
        ]
    )
    smallest = np.finfo(np.float64).eps
    return float(np.mean(np.log(1 / np.clip(of_truth, smallest, 1.0))))


def crps(
    truth: ArrayLike,
    draws: ArrayLike,
    hidden: ArrayLike,
    scale: ArrayLike | None = None,
) -> float:
    """Return the continuous ranked probability score, in standard deviations.

    For each hidden cell x with draws x_1, ..., x_m the score is ::

        mean_k |x_k - x| - 1 / (2 m (m - 1)) sum_kl |x_k - x_l|

    which is an unbiased estimate of E|X - x| - E|X - X'| / 2 (Gneiting & Raftery
    2007, eq. 21, with the sign changed) for any number of draws: the fair score of
    Ferro (2014). The mean over the cells is returned.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    draws : array of shape (n_draws, n_rows, n_columns)
        At least 2 numbers that were drawn for each cell.
    hidden : array of shape (n_rows, n_columns), bool
        Cells to score.
    scale : array of shape (n_columns,), default=None
        Unit of each column, as in `nrmse`. None: its standard deviation in `truth`.

    Returns
    -------
    float
        Score; the lowest is best. It is the mean absolute error if all draws of a
        cell are equal; as an estimate it may be below 0.

    Raises
    ------
    ValueError
        If shapes differ, there are fewer than 2 draws, a hidden cell is not finite,
        or no hidden cell is in a column with spread.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import crps
    >>> truth, hidden = np.array([[0.0]]), np.array([[True]])
    >>> draws = np.array([-1.0, 1.0, 3.0]).reshape(3, 1, 1)
    >>> round(crps(truth, draws, hidden, scale=[1.0]), 6)  # 5/3 - 16/12
    0.333333
    """
    errors = _scaled_errors(*_checked_draws(truth, draws, hidden), scale)
    n_draws = len(errors)
    # sum_kl |x_k - x_l| = 2 sum_k (2k - m - 1) x_(k), with x_(1) <= ... <= x_(m).
    weights = np.arange(1 - n_draws, n_draws, 2) / (n_draws * (n_draws - 1))
    spreads = weights @ np.sort(errors, axis=0)
    return float(np.mean(np.abs(errors)) - np.mean(spreads))


def coverage(
    truth: ArrayLike, draws: ArrayLike, hidden: ArrayLike, level: float = 0.95
) -> float:
    """Return the share of the hidden cells inside the central interval of the draws.

    Of m draws, the ends of the interval are those of rank (m + 1) (1 ± level) / 2,
    interpolated if that is no whole number. A true value from the distribution of its
    draws is then inside with probability `level`, so that few draws do not lower the
    coverage, as other quantiles do. This takes 2 / (1 - level) - 1 draws: 39 for 0.95.
    With fewer, the extreme draws are the ends, and (m - 1) / (m + 1) is expected.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    draws : array of shape (n_draws, n_rows, n_columns)
        At least 2 numbers that were drawn for each cell.
    hidden : array of shape (n_rows, n_columns), bool
        Cells to score.
    level : float, default=0.95
        Probability of the interval, between 0 and 1.

    Returns
    -------
    float
        Share from 0 to 1; `level` is best.

    Raises
    ------
    ValueError
        As in `crps`, or if `level` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import coverage
    >>> truth, hidden = np.array([[2.0], [9.5]]), np.array([[True], [True]])
    >>> draws = np.linspace(0.0, 10.0, 101)[:, None, None].repeat(2, axis=1)
    >>> coverage(truth, draws, hidden, level=0.8)  # inside 0.92 to 9.08
    0.5
    """
    truth, draws, hidden = _checked_draws(truth, draws, hidden)
    lower, upper = _interval(draws[:, hidden], level)
    return float(np.mean((lower <= truth[hidden]) & (truth[hidden] <= upper)))


def interval_score(
    truth: ArrayLike,
    draws: ArrayLike,
    hidden: ArrayLike,
    level: float = 0.95,
    scale: ArrayLike | None = None,
) -> float:
    """Return the mean interval score of Winkler, in standard deviations.

    A hidden cell x with the central interval from l to u has the score ::

        (u - l) + 2 / alpha max(l - x, 0) + 2 / alpha max(x - u, 0)

    with alpha = 1 - `level` (Gneiting & Raftery 2007, eq. 43): a narrow interval is
    good, and missing the true value is punished by the distance. Its expectation is
    lowest for the true quantiles. Intervals are those of `coverage`.

    Parameters
    ----------
    truth : array of shape (n_rows, n_columns)
        True numbers. NaN where they are not known, but not in a hidden cell.
    draws : array of shape (n_draws, n_rows, n_columns)
        At least 2 numbers that were drawn for each cell.
    hidden : array of shape (n_rows, n_columns), bool
        Cells to score.
    level : float, default=0.95
        Probability of the interval, between 0 and 1.
    scale : array of shape (n_columns,), default=None
        Unit of each column, as in `nrmse`. None: its standard deviation in `truth`.

    Returns
    -------
    float
        Score, at least 0; the lowest is best.

    Raises
    ------
    ValueError
        As in `crps`, or if `level` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import interval_score
    >>> truth, hidden = np.array([[2.0], [9.5]]), np.array([[True], [True]])
    >>> draws = np.linspace(0.0, 10.0, 101)[:, None, None].repeat(2, axis=1)
    >>> score = interval_score(truth, draws, hidden, level=0.8, scale=[1.0])
    >>> round(score, 6)  # 8.16 + 10 (0 + 0.42) / 2
    10.26
    """
    errors = _scaled_errors(*_checked_draws(truth, draws, hidden), scale)
    lower, upper = _interval(errors, level)
    outside = np.maximum(lower, 0.0) + np.maximum(-upper, 0.0)
    return float(np.mean(upper - lower + 2 / (1 - level) * outside))


def energy_distance(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    max_rows: int | None = 5000,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Return the squared energy distance between the distributions of two tables' rows.

    E² = 2 E||X - Y|| - E||X - X'|| - E||Y - Y'|| with Euclidean distances (Székely &
    Rizzo 2013). Each expectation is the mean over all pairs of rows, a row's pair with
    itself included (V-statistic). It is thus the distance between the two empirical
    distributions: at least 0, and 0 for equal samples. For n and m rows of the same
    distribution its expectation is (1 / n + 1 / m) E||X - X'||: compare it with
    that of two halves of the true rows.

    Distances add up over the columns: give all of them the same unit, such as standard
    deviations for numbers and indicators divided by the root of 2 for levels. Use
    drawn cells, as conditional means are too alike by their nature.

    Parameters
    ----------
    X, Y : arrays of shape (n_rows_of_X, n_columns) and (n_rows_of_Y, n_columns)
        Complete rows.
    max_rows : int or None, default=5000
        Rows of either table to use, drawn at random without replacement if it has more,
        as the time grows with their square. None: all. The memory needed is bounded.
    random_state : int, RandomState instance or None, default=None
        Seed of that draw. An int gives the same rows in each call.

    Returns
    -------
    float
        Squared distance in the unit of the columns, at least 0; 0 is best.

    Raises
    ------
    ValueError
        If `X` or `Y` is not a matrix of finite numbers with at least one row, the two
        differ in their number of columns, or `max_rows` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute.metrics import energy_distance
    >>> X, Y = np.array([[0.0, 0.0]]), np.array([[0.0, 3.0], [4.0, 0.0]])
    >>> energy_distance(X, Y)  # 2 * 3.5 - 0 - 2.5
    4.5
    """
    X, Y = _checked_rows("X", X), _checked_rows("Y", Y)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"Y: got {Y.shape[1]} columns, expected {X.shape[1]} as in X")
    if max_rows is not None:
        if max_rows < 1:
            raise ValueError(f"max_rows: got {max_rows}, expected at least 1")
        random = check_random_state(random_state)
        X, Y = _sampled(X, max_rows, random), _sampled(Y, max_rows, random)
    within = _mean_distance(X, X) + _mean_distance(Y, Y)
    return max(2 * _mean_distance(X, Y) - within, 0.0)  # below 0 by rounding alone


def _scaled_errors(
    truth: np.ndarray, filled: np.ndarray, hidden: np.ndarray, scale: ArrayLike | None
) -> np.ndarray:
    """Return the errors of the n hidden cells in columns with spread.

    Of shape (n,), or (n_draws, n) for draws.
    """
    compared = hidden.any(axis=0)
    units = np.zeros(truth.shape[1])
    if scale is None:
        units[compared] = _standard_deviation(truth[:, compared])
    else:
        units[compared] = _checked_scale(scale, compared)[compared]
    row, column = np.nonzero(hidden & (units > 0))
    if not len(row):
        raise ValueError(
            "hidden: got only cells of columns without spread, "
            "expected one in a column with spread"
        )
    return (filled[..., row, column] - truth[row, column]) / units[column]


def _standard_deviation(columns: np.ndarray) -> np.ndarray:
    # Rounding gives a constant column a spread of about 1e-17 instead of 0.
    is_constant = np.nanmax(columns, axis=0) == np.nanmin(columns, axis=0)
    return np.where(is_constant, 0.0, np.nanstd(columns, axis=0))


def _mean_of_others(truth: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Return the mean of the known cells of each column that are not hidden."""
    others = ~hidden & ~np.isnan(truth)
    unknown = np.flatnonzero(hidden.any(axis=0) & ~others.any(axis=0))
    if len(unknown):
        raise ValueError(
            f"Column {unknown[0]}: got hidden cells only, expected a known cell that "
            "is not hidden, or a baseline"
        )
    sums = np.sum(truth, axis=0, where=others)
    return sums / np.maximum(others.sum(axis=0), 1)


def _probabilities_of(
    truth: np.ndarray, probabilities: ArrayLike, hidden: np.ndarray, column: int
) -> np.ndarray:
    """Return the probabilities of the true levels in the hidden rows of one column."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or len(probabilities) != len(truth):
        raise ValueError(
            f"probabilities: got shape {probabilities.shape} for column {column}, "
            f"expected ({len(truth)}, n_levels)"
        )
    truth, probabilities = truth[hidden], probabilities[hidden]
    sums = probabilities.sum(axis=1)
    if not (np.all(probabilities >= 0) and np.allclose(sums, 1.0, rtol=1e-4)):
        raise ValueError(
            f"probabilities: got numbers for column {column} that are negative or do "
            "not sum to 1, expected a probability for each level"
        )
    n_levels = probabilities.shape[1]
    wrong = truth[~np.isin(truth, np.arange(n_levels))]
    if len(wrong):
        raise ValueError(
            f"truth: got {wrong[0]} in column {column}, expected the code of one of "
            f"its {n_levels} levels"
        )
    return probabilities[np.arange(len(truth)), truth.astype(np.int64)]


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    """Return the lower and upper ends of the central intervals of the draws."""
    if not 0 < level < 1:
        raise ValueError(f"level: got {level}, expected a number between 0 and 1")
    tail = (1 - level) / 2
    # Of m draws and the truth, each is equally likely the k-th smallest of m + 1, so
    # the k-th draw is the quantile k / (m + 1): Weibull's plotting position.
    return np.quantile(draws, [tail, 1 - tail], axis=0, method="weibull")


def _sampled(
    rows: np.ndarray, max_rows: int, random: np.random.RandomState
) -> np.ndarray:
    if len(rows) <= max_rows:
        return rows
    return rows[random.choice(len(rows), max_rows, replace=False)]


def _mean_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """Return the mean Euclidean distance between the rows of X and the rows of Y."""
    step = max(_DISTANCES_AT_ONCE // len(Y), 1)
    blocks = (X[start : start + step] for start in range(0, len(X), step))
    return float(sum(cdist(block, Y).sum() for block in blocks) / len(X) / len(Y))


def _checked_rows(name: str, rows: ArrayLike) -> np.ndarray:
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"{name}: got shape {rows.shape}, expected rows and columns")
    wrong = rows[~np.isfinite(rows)]
    if len(wrong):
        raise ValueError(f"{name}: got {wrong[0]}, expected finite numbers")
    return rows


def _checked_scale(scale: ArrayLike, compared: np.ndarray) -> np.ndarray:
    scale = _checked_by_column("scale", scale, compared)
    wrong = scale[compared & (scale < 0)]
    if len(wrong):
        raise ValueError(f"scale: got {wrong[0]}, expected finite numbers >= 0")
    return scale


def _checked_by_column(
    name: str, numbers: ArrayLike, compared: np.ndarray
) -> np.ndarray:
    numbers = np.asarray(numbers, dtype=np.float64)
    if numbers.shape != compared.shape:
        raise ValueError(
            f"{name}: got shape {numbers.shape}, expected {compared.shape}, "
            "a number for each column"
        )
    wrong = numbers[compared & ~np.isfinite(numbers)]
    if len(wrong):
        raise ValueError(f"{name}: got {wrong[0]}, expected finite numbers")
    return numbers


def _checked(
    truth: ArrayLike, filled: ArrayLike, hidden: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, hidden = _checked_truth(truth, hidden)
    filled = np.asarray(filled, dtype=np.float64)
    if filled.shape != truth.shape:
        raise ValueError(
            f"filled: got shape {filled.shape}, expected {truth.shape} as in truth"
        )
    _check_finite("filled", filled[hidden])
    return truth, filled, hidden


def _checked_draws(
    truth: ArrayLike, draws: ArrayLike, hidden: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth, hidden = _checked_truth(truth, hidden)
    draws = np.asarray(draws, dtype=np.float64)
    if draws.shape[1:] != truth.shape or len(draws) < 2:
        n_rows, n_columns = truth.shape
        raise ValueError(
            f"draws: got shape {draws.shape}, expected (n_draws, {n_rows}, "
            f"{n_columns}) with at least 2 draws"
        )
    _check_finite("draws", draws[:, hidden])
    return truth, draws, hidden


def _checked_truth(
    truth: ArrayLike, hidden: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    truth = np.asarray(truth, dtype=np.float64)
    hidden = np.asarray(hidden)
    if truth.ndim != 2:
        raise ValueError(f"truth: got shape {truth.shape}, expected 2 dimensions")
    if hidden.shape != truth.shape:
        raise ValueError(
            f"hidden: got shape {hidden.shape}, expected {truth.shape} as in truth"
        )
    if hidden.dtype != bool:
        raise ValueError(f"hidden: got dtype {hidden.dtype}, expected bool")
    if not hidden.any():
        raise ValueError("hidden: got no hidden cell, expected at least one")
    _check_finite("truth", truth[hidden])
    return truth, hidden


def _check_finite(name: str, numbers: np.ndarray) -> None:
    """Raise an error if one of the numbers in hidden cells is not finite."""
    wrong = numbers[~np.isfinite(numbers)]
    if len(wrong):
        raise ValueError(
            f"{name}: got {wrong[0]} in {len(wrong)} of {numbers.size} values of "
            "hidden cells, expected finite numbers"
        )
