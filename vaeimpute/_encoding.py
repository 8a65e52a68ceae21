"""From table values to the model's encoded rows, and back.

A table arrives as one float matrix (`_tables`): numbers and level codes, NaN
where missing. Encoded rows hold numeric columns first, as standardised scores
of their likelihood, then the codes of nominal ones. Outside stay free text,
columns without any observed cell and exact copies of other columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag
from scipy.special import log_ndtr, softmax

from vaeimpute._columns import Column
from vaeimpute._copies import Copies
from vaeimpute._scales import (
    NOMINAL_LIKELIHOODS,
    NUMERIC_LIKELIHOODS,
    Normal,
    NumericLikelihood,
    Ordinal,
    choose_likelihood,
)

#: Pieces of the piecewise-linear encoding of a number, in narrow tables and in
#: those with more numeric columns than that (docs/experiments.md, trial 17).
BINS_IF_NARROW, BINS_IF_WIDE = 32, 16
_NARROW = 16

#: Levels of a nominal column that the linear core tells apart: the commonest,
#: seen in at least so many rows. The rest share one score; all can be drawn.
_CORE_LEVELS = 32
_CORE_LEVEL_ROWS = 3

#: Deviations beyond so many standard deviations count as so many, and a spread
#: below the least scale, whose inverse overflows, counts as none.
_DEVIATIONS = (-1e6, 1e6)
_MIN_SCALE = np.finfo(float).tiny

#: Numbers are drawn among the observed ones if these are at most so many, and at most
#: this share of the cells.
_MAX_REPEATED, _REPEATED_SHARE = 1_000, 0.5

#: Share given to a level that was declared but never seen.
_UNSEEN_SHARE = 1e-6


class Rows(NamedTuple):
    """Encoded rows.

    Attributes
    ----------
    values : float32 ndarray of shape (n_rows, n_columns)
        Standardised scores and level codes; zero where not observed.
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


class Intervals(NamedTuple):
    """Cells of discrete numbers as the intervals of scores that they stand for.

    Attributes
    ----------
    columns : int ndarray of shape (n_discrete,)
        Their places among the numeric columns.
    low, high : ndarrays of shape (n_rows, n_discrete)
        Standardised scores; anything where not observed.
    """

    columns: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Numbers:
    """One numeric column.

    Attributes
    ----------
    likelihood : NumericLikelihood
    centre, scale : float
        Mean and standard deviation of the observed scores.
    resolution : float
        Smallest gap between two observed scores, in units of `scale`.
    edges : ndarray of shape (n_bins + 1,)
        Quantiles of the standardised scores, strictly increasing.
    repeated : ndarray of shape (n_values,)
        The different values, if most cells hold one that others hold as well; else
        none. Draws are among them: zeros of a column with many, and no more digits
        than were measured.
    """

    likelihood: NumericLikelihood
    centre: float
    scale: float
    resolution: float
    edges: np.ndarray
    repeated: np.ndarray

    @classmethod
    def fit(
        cls, known: np.ndarray, likelihood: NumericLikelihood, n_bins: int
    ) -> Numbers:
        """Learn from the observed values."""
        scores = likelihood.scores(known)
        size = np.max(np.abs(scores)) or 1.0
        centre, scale = np.mean(scores / size) * size, np.std(scores / size) * size
        # Equal numbers have a rounding-error spread around their rounded mean.
        if scale <= max(1e-12 * size, _MIN_SCALE):
            centre, scale = scores[0], size if size > _MIN_SCALE else 1.0
        standard = scores / scale - centre / scale
        gaps = np.diff(np.unique(standard))
        resolution = np.min(gaps) if len(gaps) else 1.0
        edges = np.quantile(standard, np.linspace(0, 1, n_bins + 1))
        edges = edges + 1e-4 * np.arange(n_bins + 1)
        values = np.unique(known)
        is_repeated = len(values) <= min(_REPEATED_SHARE * len(known), _MAX_REPEATED)
        return cls(
            likelihood,
            float(centre),
            float(scale),
            float(resolution),
            edges,
            values if is_repeated else values[:0],
        )

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return standardised scores."""
        return np.clip(self._standard(self.likelihood.scores(values)), *_DEVIATIONS)

    def mean(self, standard: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Return best guesses from mean and variance of standardised scores."""
        spread = np.sqrt(variance) * self.scale
        return self.likelihood.mean(self._scores(standard), spread)

    def probabilities(self, standard: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Return the probability of each level of an ordinal column."""
        spread = np.sqrt(variance) * self.scale
        return self.likelihood.probabilities(self._scores(standard), spread)

    def draw(self, standard: np.ndarray, shift: float = 0.0) -> np.ndarray:
        """Return the values that have these standardised scores, then move them."""
        values = self.likelihood.draw(self._scores(standard))
        if len(self.repeated):
            between = 0.5 * self.repeated[1:] + 0.5 * self.repeated[:-1]
            values = self.repeated[np.searchsorted(between, values)]
        if shift:  # beyond what was observed, if that is where it leads
            values = self.likelihood.draw(self._scores(self.encode(values) + shift))
        return values

    def value(self, standard: np.ndarray) -> np.ndarray:
        """Return the numbers that have these standardised scores, not rounded."""
        return self.likelihood.value(self._scores(standard))

    def interval(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the standardised scores between which discrete values lie."""
        low, high = self.likelihood.interval(values)
        return self._standard(low), self._standard(high)

    def surprise(self, values, standard, spread) -> np.ndarray:
        """Return minus the log-probability of values as far from the mean, two-sided.

        Parameters
        ----------
        values : ndarray of shape (n_rows,)
        standard, spread : ndarrays of shape (n_rows,)
            Mean and standard deviation of the standardised scores.
        """
        if self.likelihood.is_discrete:
            low, high = self.interval(values)
        else:
            low = high = self.encode(values)
        below = log_ndtr((high - standard) / spread)
        above = log_ndtr((standard - low) / spread)
        return np.maximum(-np.log(2.0) - np.minimum(below, above), 0.0)

    def log_slope(self, values: np.ndarray) -> np.ndarray:
        """Return log |d standardised score / d value| of continuous values."""
        return self.likelihood.log_slope(values) - np.log(self.scale)

    def _standard(self, scores):
        # Divided before subtracting: 1e300 - (-1e300) would overflow.
        with np.errstate(over="ignore"):
            return scores / self.scale - self.centre / self.scale

    def _scores(self, standard):
        with np.errstate(over="ignore"):  # infinity, where a column spans all doubles
            return standard * self.scale + self.centre


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

    @classmethod
    def fit(cls, codes: np.ndarray, n_levels: int) -> Levels:
        """Learn shares and correspondence-analysis scores from observed codes.

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
        return cls(counts / len(codes), contrast)

    def encode(self, codes: np.ndarray) -> np.ndarray:
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
        Positions of the encoded columns of either kind in the table; ordered
        categories count as numeric where their likelihood is ordinal.
    numbers : tuple of Numbers
        One per numeric column.
    levels : tuple of Levels
        One per nominal column.
    copies : Copies
        Columns that are computed from another one.
    """

    labels: tuple[str, ...]
    n_columns: int
    numeric: np.ndarray
    nominal: np.ndarray
    numbers: tuple[Numbers, ...]
    levels: tuple[Levels, ...]
    copies: Copies

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        columns: Sequence[Column],
        likelihoods: Mapping[int, str] | None = None,
    ) -> Encoding:
        """Learn the encoding of a table's observed cells.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Numbers and level codes, NaN where missing.
        columns : sequence of Column
            What each column of the table is.
        likelihoods : mapping of int to str, optional
            Names of likelihoods by position; others follow kind and values.

        Raises
        ------
        ValueError
            If a column has values, or a kind, that its likelihood rules out.
        """
        given = dict(likelihoods or {})
        nominal = [_is_nominal(x, given.get(j)) for j, x in enumerate(columns)]
        inside = ~np.all(np.isnan(values), axis=0)
        inside &= [column.kind != "text" for column in columns]
        comparable = inside & [column.kind == "numeric" for column in columns]
        comparable[list(given)] = False  # a likelihood that is named is to be used
        copies = Copies.find(values, np.flatnonzero(comparable))
        inside[copies.column] = False
        values = copies.complete(values)
        numeric_at = np.flatnonzero(inside & np.logical_not(nominal))
        nominal_at = np.flatnonzero(inside & nominal)
        return cls(
            tuple(columns[j].label for j in (*numeric_at, *nominal_at)),
            values.shape[1],
            numeric_at,
            nominal_at,
            tuple(
                Numbers.fit(
                    _known(values[:, j]),
                    _fit_likelihood(_known(values[:, j]), columns[j], given.get(j)),
                    _number_of_bins(len(numeric_at)),
                )
                for j in numeric_at
            ),
            tuple(
                Levels.fit(_known(values[:, j]), len(columns[j].levels))
                for j in nominal_at
            ),
            copies,
        )

    @property
    def encoded(self) -> np.ndarray:
        """Positions in the table of the encoded columns, in encoded order."""
        return np.concatenate([self.numeric, self.nominal]).astype(int)

    @property
    def are_numbers(self) -> np.ndarray:
        """Which numeric columns are no ordered levels, (n_numeric,) bool."""
        return np.array([x.likelihood.name != "ordinal" for x in self.numbers], bool)

    def encode(self, values: np.ndarray) -> Rows:
        """Return encoded rows of table values."""
        values = self.copies.complete(values)
        encoded = np.empty((len(values), len(self.encoded)), np.float32)
        observed = np.empty(encoded.shape, bool)
        kinds = (*self.numbers, *self.levels)
        for k, (j, kind) in enumerate(zip(self.encoded, kinds, strict=True)):
            column = kind.encode(values[:, j])
            observed[:, k] = ~np.isnan(column)
            encoded[:, k] = np.where(observed[:, k], column, 0.0)
        return Rows(encoded, observed)

    @property
    def fills_by_variance(self) -> bool:
        """Whether `fill` looks at variances: not for numbers that are taken as such."""
        return any(column.likelihood.uses_spread for column in self.numbers)

    def fill(self, values, numbers, variance, log_levels) -> np.ndarray:
        """Return table values in which every missing cell has its best guess.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            Table values, NaN where missing.
        numbers, variance : ndarrays of shape (n_rows, n_numeric)
            Mean and variance of the standardised scores.
        log_levels : ndarray of shape (n_rows, n_levels)
            Log-probabilities, the levels of all nominal columns side by side.

        Returns
        -------
        values : ndarray of shape (n_rows, n_columns)
            Conditional means and likeliest codes; zero in columns that had no
            observed cell.
        """
        guesses = self._likeliest_codes(log_levels)
        for k, (j, column) in enumerate(self._numeric_columns()):
            guesses[:, j] = column.mean(numbers[:, k], variance[:, k])
        return self._completed(values, guesses)

    def level_probabilities(
        self, values, numbers, variance, log_levels
    ) -> dict[int, np.ndarray]:
        """Return the probability of each level, one for the level that is observed.

        Parameters
        ----------
        values, numbers, variance, log_levels
            As in `fill`.

        Returns
        -------
        probabilities : dict of int to ndarray of shape (n_rows, n_levels)
            By position of the column: nominal ones, and those modelled as ordinal.
        """
        probabilities = {
            j: softmax(log_levels[:, block], axis=1)
            for j, block in zip(self.nominal.tolist(), self.level_blocks(), strict=True)
        }
        for k, (j, column) in enumerate(self._numeric_columns()):
            if column.likelihood.name == "ordinal":
                p = column.probabilities(numbers[:, k], variance[:, k])
                probabilities[int(j)] = p
        for j, p in probabilities.items():
            known = np.flatnonzero(~np.isnan(values[:, j]))
            p[known] = 0.0
            p[known, values[known, j].astype(int)] = 1.0
        return probabilities

    def surprise(self, values, k, numbers, variance, log_levels) -> np.ndarray:
        """Return how unlikely the cells of one encoded column are, (n_rows,).

        Minus the log-probability of a number as far out, or of a level as unlikely.

        Parameters
        ----------
        values, numbers, variance, log_levels
            As in `fill`; the cells of the column are observed, and the rest was
            predicted without them.
        k : int
            Place of the column among the encoded ones.
        """
        n_numeric, j = len(self.numbers), self.encoded[k]
        if k < n_numeric:
            floor = np.exp(self.log_noise_floor()[k])
            spread = np.sqrt(np.maximum(variance[:, k], floor))
            return self.numbers[k].surprise(values[:, j], numbers[:, k], spread)
        p = softmax(log_levels[:, self.level_blocks()[k - n_numeric]], axis=1)
        own = p[np.arange(len(p)), values[:, j].astype(int)][:, None]
        return np.abs(np.log(np.minimum(np.sum(p * (p <= own), axis=1), 1.0)))

    def decode_draws(self, values, numbers, log_levels, shifts=None) -> np.ndarray:
        """Return table values in which every missing cell has its draw.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            As in `fill`.
        numbers, log_levels
            Drawn scores and perturbed log-probabilities.
        shifts : ndarray of shape (n_numeric,), optional
            By how much to move the scores of what was drawn; none by default.
        """
        if shifts is None:
            shifts = np.zeros(len(self.numbers))
        drawn = self._likeliest_codes(log_levels)
        for k, (j, column) in enumerate(self._numeric_columns()):
            drawn[:, j] = column.draw(numbers[:, k], shifts[k])
        return self._completed(values, drawn)

    def decode_quantiles(self, values, numbers) -> np.ndarray:
        """Return table values in which every missing number has its quantile.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_columns)
            As in `fill`.
        numbers : ndarray of shape (n_rows, n_numeric)
            Quantiles of the standardised scores.

        Returns
        -------
        values : ndarray of shape (n_rows, n_columns)
            NaN in columns that have levels or had no observed cell.
        """
        quantiles = np.full((len(values), self.n_columns), np.nan)
        for k in np.flatnonzero(self.are_numbers):
            quantiles[:, self.numeric[k]] = self.numbers[k].value(numbers[:, k])
        return self._completed(values, quantiles)

    def intervals(self, values: np.ndarray) -> Intervals:
        """Return the intervals that the cells of discrete numbers stand for."""
        values = self.copies.complete(values)
        numeric = list(enumerate(self._numeric_columns()))
        discrete = [(k, j, x) for k, (j, x) in numeric if x.likelihood.is_discrete]
        low, high = np.zeros((2, len(values), len(discrete)))
        for i, (_, j, column) in enumerate(discrete):
            low[:, i], high[:, i] = column.interval(values[:, j])
        return Intervals(np.array([k for k, _, _ in discrete], int), low, high)

    def log_noise_floor(self) -> np.ndarray:
        """Return the least log-variance of noise under which cells are scored.

        At it, a Gaussian's density times the column's resolution is at most one;
        discrete cells, which count with probabilities, need none. (n_numeric,)
        """
        discrete = np.array([x.likelihood.is_discrete for x in self.numbers], bool)
        resolution = np.array([column.resolution for column in self.numbers])
        floor = 2 * np.log(resolution / np.sqrt(2 * np.pi))
        return np.where(discrete, -np.inf, floor)

    def log_jacobian(self, values: np.ndarray) -> np.ndarray:
        """Return log |d encoded / d value|, summed over the observed cells of rows.

        Discrete cells have none: what counts there is a probability.
        """
        values = self.copies.complete(values)
        total = np.zeros(len(values))
        for j, column in self._numeric_columns():
            if not column.likelihood.is_discrete:
                observed = ~np.isnan(values[:, j])
                total[observed] += column.log_slope(values[observed, j])
        return total

    def likelihood_names(self) -> dict[int, str]:
        """Return the name of each column's likelihood by its position."""
        names = {int(j): x.likelihood.name for j, x in self._numeric_columns()}
        for j, levels in zip(self.nominal, self.levels, strict=True):
            names[int(j)] = "bernoulli" if len(levels.share) == 2 else "categorical"
        names |= dict.fromkeys(self.copies.column.tolist(), "copy")
        return dict(sorted(names.items()))

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
        edges = np.array([column.edges for column in self.numbers], np.float32)
        contrast = block_diag(*contrasts) if contrasts else np.zeros((0, 0))
        return Layout(
            edges=edges.reshape(-1, _number_of_bins(len(self.numbers)) + 1),
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

    def _completed(self, values: np.ndarray, guesses: np.ndarray) -> np.ndarray:
        """Return values with guesses where missing, and copies of their sources."""
        known = self.copies.complete(values)
        filled = np.where(np.isnan(known), guesses, known)
        self.copies.derive(filled)
        return filled

    def _likeliest_codes(self, log_levels: np.ndarray) -> np.ndarray:
        """Return table values that are zero but for the codes of nominal columns."""
        values = np.zeros((len(log_levels), self.n_columns))
        for j, block in zip(self.nominal, self.level_blocks(), strict=True):
            values[:, j] = np.argmax(log_levels[:, block], axis=1)
        return values

    def _numeric_columns(self):
        """Yield position in the table and `Numbers` of each numeric column."""
        return zip(self.numeric, self.numbers, strict=True)


def _known(column: np.ndarray) -> np.ndarray:
    return column[~np.isnan(column)]


def _is_nominal(column: Column, likelihood: str | None) -> bool:
    """Return whether the model takes a column's levels as unordered."""
    is_nominal = column.kind == "nominal"
    known = NOMINAL_LIKELIHOODS if is_nominal else NUMERIC_LIKELIHOODS
    if likelihood is not None and likelihood not in known:
        raise ValueError(
            f"likelihoods: got {likelihood!r} for {column.label}, expected one of "
            f"{sorted(known)} for a {column.kind} column."
        )
    if likelihood is None and column.ordered and len(column.levels) > 2:
        return False
    return is_nominal and likelihood != Ordinal.name


def _fit_likelihood(known: np.ndarray, column: Column, name: str | None):
    """Fit the likelihood that was asked for, or that kind and values suggest."""
    if column.kind == "nominal":
        return Ordinal.fit(known, len(column.levels))
    if name is None:
        return Normal() if column.unit else choose_likelihood(known)
    try:
        return NUMERIC_LIKELIHOODS[name].fit(known)
    except ValueError as error:
        raise ValueError(
            f"{column.label}: likelihoods names {name!r}, but got {error}."
        ) from None


def _number_of_bins(n_numeric: int) -> int:
    # Not a number for each width: every one makes another program.
    return BINS_IF_NARROW if n_numeric <= _NARROW else BINS_IF_WIDE


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
