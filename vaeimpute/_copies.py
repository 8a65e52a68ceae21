"""Columns that repeat another one: multiples, shifted copies, other units.

What is known exactly must not be guessed by a model: such a column is left out
of it, lends its cells to its source where these are missing, and is computed
from the source in the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Rows looked at to find candidates.
_SEARCH_ROWS = 4096

#: Rows in which both columns must be observed, and those of them off the
#: commonest value: fewer could agree by chance.
_MIN_ROWS = 10
_MIN_VARIED_ROWS = 5

#: Largest deviation from the relation, in standard deviations of the copy, and
#: the least correlation of columns that can be so close.
_TOLERANCE = 5e-3
_MIN_CORRELATION = 1.0 - 1e-4


@dataclass(frozen=True)
class Copies:
    """Columns that are ``slope * source + intercept`` in every observed row.

    Attributes
    ----------
    column, source : int ndarrays of shape (n_copies,)
        Positions in the table; no source is itself a copy.
    slope, intercept : ndarrays of shape (n_copies,)
    """

    column: np.ndarray
    source: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray

    @classmethod
    def find(cls, values: np.ndarray, candidates: np.ndarray) -> Copies:
        """Find copies among some columns; the fuller column is the source.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            NaN where missing.
        candidates : int ndarray
            Positions of the columns to compare.
        """
        n_observed = np.sum(~np.isnan(values[:, candidates]), axis=0)
        fullest_first = candidates[np.argsort(-n_observed, kind="stable")]
        alike = _alike(values[:, fullest_first])
        found: dict[int, tuple] = {}
        for i, j in zip(*np.nonzero(np.triu(alike, 1)), strict=True):
            source, column = int(fullest_first[i]), int(fullest_first[j])
            if source in found or column in found:
                continue
            line = _line_through(values[:, source], values[:, column])
            if line is not None:
                found[column] = (column, source, *line)
        column, source, slope, intercept = (
            np.array(list(found.values())).reshape(-1, 4).T
        )
        return cls(column.astype(int), source.astype(int), slope, intercept)

    def complete(self, values: np.ndarray) -> np.ndarray:
        """Return values in which copies stand in for missing sources."""
        if not len(self.column):
            return values
        values = values.copy()
        for j, source, slope, intercept in self._each():
            gaps = np.isnan(values[:, source])
            values[gaps, source] = (values[gaps, j] - intercept) / slope
        return values

    def derive(self, values: np.ndarray) -> None:
        """Set every copy to what its source says, in place."""
        for j, source, slope, intercept in self._each():
            values[:, j] = slope * values[:, source] + intercept

    def _each(self):
        return zip(self.column, self.source, self.slope, self.intercept, strict=True)


def _alike(values: np.ndarray) -> np.ndarray:
    """Return which pairs of columns correlate almost perfectly, (d, d) bool."""
    step = max(1, len(values) // _SEARCH_ROWS)
    values = values[::step]
    observed = ~np.isnan(values)
    known = observed.astype(float)
    count = np.maximum(known.sum(axis=0), 1.0)
    size = np.max(np.abs(values), axis=0, where=observed, initial=0.0)
    scaled = np.where(observed, values, 0.0) / np.where(size > 0, size, 1.0)
    centred = np.where(observed, scaled - scaled.sum(axis=0) / count, 0.0)
    # Sums over the rows in which both columns of a pair are observed.
    n_both, first = known.T @ known, centred.T @ known
    second, product = (centred**2).T @ known, centred.T @ centred
    covariance = n_both * product - first * first.T
    variance = n_both * second - first**2
    # Beyond what rounding makes of equal numbers; `variance` has n_both^2 in it.
    varies = variance > (1e-13 * n_both) ** 2
    enough = (n_both >= _MIN_ROWS) & varies & varies.T
    bound = _MIN_CORRELATION * np.sqrt(np.abs(variance * variance.T))
    return enough & (np.abs(covariance) >= bound)


def _line_through(source: np.ndarray, copy: np.ndarray) -> tuple | None:
    """Return slope and intercept if all rows with both lie on one line."""
    both = ~np.isnan(source) & ~np.isnan(copy)
    x, y = source[both], copy[both]
    values, counts = np.unique(x, return_counts=True)
    if len(values) < 3 or len(x) - counts.max() < _MIN_VARIED_ROWS:
        return None
    low, high = np.argmin(x), np.argmax(x)
    with np.errstate(over="ignore", invalid="ignore"):
        slope = (y[high] - y[low]) / (x[high] - x[low])
        intercept = y[low] - slope * x[low]
        worst = np.max(np.abs(y - (slope * x + intercept)))
        # Fails, too, where a number overflowed.
        if slope != 0 and worst <= _TOLERANCE * np.std(y) < np.inf:
            return slope, intercept
    return None
