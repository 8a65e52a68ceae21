"""Errors of filled tables, over hidden cells: cells whose true value is known.

All functions take arrays of shape (n_rows, n_columns): numbers, or level codes for
`accuracy`. Only the cells where `hidden` is True count; all cells weigh the same, so a
column with more hidden cells counts for more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
    errors = _scaled_errors(truth, filled, hidden, scale)
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
    return float(np.mean(np.abs(_scaled_errors(truth, filled, hidden, scale))))


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


def _scaled_errors(
    truth: ArrayLike, filled: ArrayLike, hidden: ArrayLike, scale: ArrayLike | None
) -> np.ndarray:
    """Return the errors of the hidden cells in columns with spread, one-dimensional."""
    truth, filled, hidden = _checked(truth, filled, hidden)
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
    return (filled[row, column] - truth[row, column]) / units[column]


def _standard_deviation(columns: np.ndarray) -> np.ndarray:
    # Rounding gives a constant column a spread of about 1e-17 instead of 0.
    is_constant = np.nanmax(columns, axis=0) == np.nanmin(columns, axis=0)
    return np.where(is_constant, 0.0, np.nanstd(columns, axis=0))


def _checked_scale(scale: ArrayLike, compared: np.ndarray) -> np.ndarray:
    scale = np.asarray(scale, dtype=np.float64)
    if scale.shape != compared.shape:
        raise ValueError(
            f"scale: got shape {scale.shape}, expected {compared.shape}, "
            "a number for each column"
        )
    wrong = scale[compared & ~(np.isfinite(scale) & (scale >= 0))]
    if len(wrong):
        raise ValueError(f"scale: got {wrong[0]}, expected finite numbers >= 0")
    return scale


def _checked(
    truth: ArrayLike, filled: ArrayLike, hidden: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth = np.asarray(truth, dtype=np.float64)
    filled = np.asarray(filled, dtype=np.float64)
    hidden = np.asarray(hidden)
    if truth.ndim != 2:
        raise ValueError(f"truth: got shape {truth.shape}, expected 2 dimensions")
    for name, array in (("filled", filled), ("hidden", hidden)):
        if array.shape != truth.shape:
            raise ValueError(
                f"{name}: got shape {array.shape}, expected {truth.shape} as in truth"
            )
    if hidden.dtype != bool:
        raise ValueError(f"hidden: got dtype {hidden.dtype}, expected bool")
    if not hidden.any():
        raise ValueError("hidden: got no hidden cell, expected at least one")
    for name, array in (("truth", truth), ("filled", filled)):
        wrong = array[hidden & ~np.isfinite(array)]
        if len(wrong):
            raise ValueError(
                f"{name}: got {wrong[0]} in {len(wrong)} of {hidden.sum()} hidden "
                "cells, expected finite numbers"
            )
    return truth, filled, hidden
