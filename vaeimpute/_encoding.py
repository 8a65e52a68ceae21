"""From table values to the model's encoded rows, and back.

A table arrives as one float matrix (`_columns`): numbers and level codes, NaN
where missing. Encoded rows hold numeric columns first, standardised, then the
codes of nominal ones; columns without any observed cell stay outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from vaeimpute._columns import TableSchema

#: Pieces of the piecewise-linear encoding of numbers.
N_BINS = 16

#: Levels of a nominal column that the linear core tells apart: the commonest,
#: seen in at least so many rows. The rest share one score; all can be drawn.
_CORE_LEVELS = 32
_CORE_LEVEL_ROWS = 3

#: Deviations beyond so many standard deviations count as so many, and a spread
#: below the least scale, whose inverse overflows, counts as none.
_MAX_DEVIATION = 1e6
_MIN_SCALE = np.finfo(float).tiny

#: Share given to a level that was declared but never seen.
_UNSEEN_SHARE = 1e-6


class Rows(NamedTuple):
    """Encoded rows.

    Attributes
    ----------
    values : float32 ndarray of shape (n_rows, n_columns)
        Standardised numbers and level codes; zero where not observed.
    observed : bool ndarray of shape (n_rows, n_columns)
    """

    values: np.ndarray
    observed: np.ndarray


class Layout(NamedTuple):
    """What the model must know of the table's columns, as arrays.

    Attributes
    ----------
    edges : array of shape (n_numeric, n_bins + 1)
        Increasing quantiles of each numeric column.
    log_share : array of shape (n_levels,)
        Log-share of each level among its column's observed cells.
    contrast : array of shape (n_levels, n_scores)
        Scores of a cell from the indicator of its level.
    level_column, level_code : int arrays of shape (n_levels,)
        Nominal column and code of each level on the flat axis.
    membership : array of shape (n_levels, n_nominal)
        One where the level belongs to the column.
    score_membership : array of shape (n_nominal, n_scores)
    """

    edges: Any
    log_share: Any
    contrast: Any
    level_column: Any
    level_code: Any
    membership: Any
    score_membership: Any


@dataclass(frozen=True)
class Levels:
    """Levels of one nominal column.

    Attributes
    ----------
    share : ndarray of shape (n_levels,)
        Share of each level among the observed cells, zero if never seen.
    contrast : ndarray of shape (n_levels, n_scores)
        Scores of each level: uncorrelated over the table, of mean 0 and
        variance 1, as in correspondence analysis.
    """

    share: np.ndarray
    contrast: np.ndarray

    def known(self, codes: np.ndarray) -> np.ndarray:
        """Return codes with NaN for levels that were declared but never seen."""
        known = codes.copy()
        present = ~np.isnan(codes)
        never = self.share[codes[present].astype(int)] == 0
        known[np.flatnonzero(present)[never]] = np.nan
        return known


@dataclass(frozen=True)
class Encoding:
    """What is learned of the columns before any model is fitted.

    Attributes
    ----------
    labels : tuple of str
        The encoded columns in words, for messages.
    n_columns : int
        Columns of the table, empty ones included.
    numeric, nominal : int ndarrays
        Positions of the encoded columns of either kind in the table.
    centre, scale : ndarrays of shape (n_numeric,)
        Mean and standard deviation of the observed cells.
    resolution : ndarray of shape (n_numeric,)
        Smallest gap between two observed numbers, in units of `scale`.
    edges : ndarray of shape (n_numeric, N_BINS + 1)
        Quantiles of the standardised numbers, strictly increasing.
    levels : tuple of Levels
        One per nominal column.
    """

    labels: tuple[str, ...]
    n_columns: int
    numeric: np.ndarray
    nominal: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    resolution: np.ndarray
    edges: np.ndarray
    levels: tuple[Levels, ...]

    @classmethod
    def fit(cls, values: np.ndarray, schema: TableSchema) -> Encoding:
        """Learn the encoding of a table's observed cells.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            As ``schema.read`` gives them.
        schema : TableSchema
        """
        seen = ~np.all(np.isnan(values), axis=0)
        nominal = np.array([column.kind == "nominal" for column in schema.columns])
        numeric_at = np.flatnonzero(seen & ~nominal)
        nominal_at = np.flatnonzero(seen & nominal)
        numbers = [_fit_numbers(_known(values[:, j])) for j in numeric_at]
        centre, scale, resolution, edges = _columns_of(numbers)
        levels = tuple(
            _fit_levels(_known(values[:, j]), len(schema.columns[j].levels))
            for j in nominal_at
        )
        encoded = [*numeric_at, *nominal_at]
        return cls(
            tuple(schema.columns[j].label for j in encoded),
            values.shape[1],
            numeric_at,
            nominal_at,
            centre,
            scale,
            resolution,
            edges,
            levels,
        )

    @property
    def encoded(self) -> np.ndarray:
        """Positions in the table of the encoded columns, in encoded order."""
        return np.concatenate([self.numeric, self.nominal]).astype(int)

    def encode(self, values: np.ndarray) -> Rows:
        """Return encoded rows of values as ``schema.read`` gives them."""
        encoded = np.empty((len(values), len(self.encoded)), np.float32)
        observed = np.empty(encoded.shape, bool)
        for k, j in enumerate(self.encoded):
            column = values[:, j]
            if k < len(self.numeric):
                column = self._standardise(column, k)
            else:
                column = self.levels[k - len(self.numeric)].known(column)
            observed[:, k] = ~np.isnan(column)
            encoded[:, k] = np.where(observed[:, k], column, 0.0)
        return Rows(encoded, observed)

    def decode(self, numbers: np.ndarray, log_levels: np.ndarray) -> np.ndarray:
        """Return table values: numbers in their units, the likeliest level's code.

        Parameters
        ----------
        numbers : ndarray of shape (n_rows, n_numeric)
        log_levels : ndarray of shape (n_rows, n_levels)
            Log-probabilities, the levels of all nominal columns side by side.

        Returns
        -------
        values : ndarray of shape (n_rows, n_columns)
            Zero in columns that had no observed cell.
        """
        values = np.zeros((len(numbers), self.n_columns))
        with np.errstate(over="ignore"):  # infinity, where a column spans all doubles
            values[:, self.numeric] = numbers * self.scale + self.centre
        for j, block in zip(self.nominal, self.level_blocks(), strict=True):
            values[:, j] = np.argmax(log_levels[:, block], axis=1)
        return values

    def layout(self) -> Layout:
        """Return the columns as the arrays that the model reads."""
        shares = [levels.share for levels in self.levels]
        share = np.concatenate([np.zeros(0), *shares])
        column = np.repeat(np.arange(len(shares)), [len(s) for s in shares])
        code = np.concatenate([np.zeros(0), *(np.arange(len(s)) for s in shares)])
        contrasts = [levels.contrast for levels in self.levels]
        score_column = np.repeat(
            np.arange(len(contrasts)), [c.shape[1] for c in contrasts]
        )
        nominal = np.arange(len(shares))
        contrast = block_diag(*contrasts) if contrasts else np.zeros((0, 0))
        return Layout(
            edges=self.edges.astype(np.float32),
            log_share=np.log(np.maximum(share, _UNSEEN_SHARE)).astype(np.float32),
            contrast=contrast.astype(np.float32),
            level_column=column.astype(np.int32),
            level_code=code.astype(np.float32),
            membership=np.equal.outer(column, nominal).astype(np.float32),
            score_membership=np.equal.outer(nominal, score_column).astype(np.float32),
        )

    def level_blocks(self) -> list[slice]:
        """Return where each nominal column's levels lie on the flat axis."""
        return _blocks([len(levels.share) for levels in self.levels])

    def score_blocks(self) -> list[slice]:
        """Return where each nominal column's scores lie among all scores."""
        return _blocks([levels.contrast.shape[1] for levels in self.levels])

    def _standardise(self, column: np.ndarray, k: int) -> np.ndarray:
        # Divided before subtracting: 1e300 - (-1e300) would overflow.
        with np.errstate(over="ignore"):
            standard = column / self.scale[k] - self.centre[k] / self.scale[k]
        return np.clip(standard, -_MAX_DEVIATION, _MAX_DEVIATION)


def _known(column: np.ndarray) -> np.ndarray:
    return column[~np.isnan(column)]


def _fit_numbers(known: np.ndarray) -> tuple:
    """Return centre, scale, resolution and edges of one numeric column."""
    size = np.max(np.abs(known)) or 1.0
    centre, scale = np.mean(known / size) * size, np.std(known / size) * size
    # Equal numbers have a rounding-error spread around their rounded mean.
    if scale <= max(1e-12 * size, _MIN_SCALE):
        centre, scale = known[0], size if size > _MIN_SCALE else 1.0
    standard = np.unique(known / scale - centre / scale)
    gaps = np.diff(standard)
    resolution = np.min(gaps) if len(gaps) else 1.0
    quantiles = np.linspace(0, 1, N_BINS + 1)
    edges = np.quantile(known / scale - centre / scale, quantiles)
    return centre, scale, resolution, edges + 1e-4 * np.arange(N_BINS + 1)


def _columns_of(numbers: list[tuple]) -> tuple[np.ndarray, ...]:
    """Turn one tuple per column into one array per quantity."""
    if not numbers:
        empty = np.zeros(0)
        return empty, empty, empty, np.zeros((0, N_BINS + 1))
    return tuple(np.array(quantity) for quantity in zip(*numbers, strict=True))


def _fit_levels(codes: np.ndarray, n_levels: int) -> Levels:
    """Return shares and correspondence-analysis scores of one nominal column.

    With shares pi and an orthonormal basis Q of the complement of sqrt(pi), a
    cell of level k scores ``Q' e_k / sqrt(pi_k)``; conversely scores s predict
    the probabilities ``pi (1 + Q s / sqrt(pi))``: one matrix serves both ways.
    """
    counts = np.bincount(codes.astype(int), minlength=n_levels)
    group = _core_groups(counts)
    scored = group >= 0
    contrast = np.zeros((n_levels, 0))
    if np.any(scored):
        root = np.sqrt(np.bincount(group[scored], weights=counts[scored]))
        root /= np.linalg.norm(root)
        basis, _ = np.linalg.qr(np.column_stack([root, np.eye(len(root))[:, 1:]]))
        contrast = np.zeros((n_levels, len(root) - 1))
        contrast[scored] = (basis[:, 1:] / root[:, None])[group[scored]]
    if not contrast.shape[1]:  # one level: no score, but the core needs a value
        contrast = np.zeros((n_levels, 1))
    return Levels(counts / len(codes), contrast)


def _core_groups(counts: np.ndarray) -> np.ndarray:
    """Give the commonest levels numbers from 0 and all others the next number.

    Levels that even together were seen in too few rows get -1: no score, as
    their scores would be outliers.
    """
    order = np.argsort(-counts, kind="stable")[:_CORE_LEVELS]
    common = order[counts[order] >= _CORE_LEVEL_ROWS]
    rest = np.setdiff1d(np.flatnonzero(counts), common)
    group = np.full(len(counts), -1)
    group[common] = np.arange(len(common))
    if counts[rest].sum() >= _CORE_LEVEL_ROWS:
        group[rest] = len(common)
    return group


def _blocks(sizes: list[int]) -> list[slice]:
    ends = np.cumsum(sizes, dtype=int)
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
