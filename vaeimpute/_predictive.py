"""What is predicted of single cells, and how far that is to be trusted.

A missing number is predicted by a mixture of normal distributions of its score, one
for each latent that its row may have. Where the true numbers of held-out cells lie in
what was predicted of them tells how far intervals have to reach; how likely their true
levels were said to be tells by how much to flatten or sharpen probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, ndtri_exp

from vaeimpute._likelihoods import shrink

#: Halvings of the range in which a quantile is known to lie.
_HALVINGS = 40

#: Columns differ alike at all levels: they are compared where few cells tell most
#: (docs/experiments.md, trial 50), and none counts as narrower than this beside all.
_COMPARED_AT, _LEAST_WIDTH = 0.8, 1e-3

#: Largest variance between the logarithms of columns' widths that is believed in: a
#: column that is predicted exactly must not lend its spread to columns of few cells.
_MOST_VARIANCE = 0.1

#: Probabilities are raised to powers of 1/4 to 4 at most.
_LARGEST_LOG_TEMPERATURE = np.log(4.0)

#: Held-out cells that what the model says of itself is worth: the log-quantile of n
#: cells has a variance of about 0.9 / n, and models are off by about exp(0.3).
_PRIOR_CELLS = 10


class Predictive(NamedTuple):
    """Distributions of some numbers: mixtures of normal ones.

    Attributes
    ----------
    means, log_shares : ndarrays of shape (n_cells, n_components)
        Standardised scores; logarithms of shares that sum to one.
    spread : ndarray of shape (n_cells,)
        Standard deviation of each component.
    """

    means: np.ndarray
    log_shares: np.ndarray
    spread: np.ndarray

    def normal_scores(self, numbers: np.ndarray) -> np.ndarray:
        """Return what a standard normal variable is as likely to lie below.

        Exact far out in the tails, where the probability itself is 0 or 1.
        """
        z = (numbers[:, None] - self.means) / self.spread[:, None]
        below = logsumexp(self.log_shares + log_ndtr(z), axis=1)
        above = logsumexp(self.log_shares + log_ndtr(-z), axis=1)
        return np.where(below < above, ndtri_exp(below), -ndtri_exp(above))

    def values_at(self, normal_scores: np.ndarray) -> np.ndarray:
        """Return the numbers that have these normal scores, (n_cells,)."""
        reach = self.spread * normal_scores
        # Every component has this quantile between these ends, so the mixture has.
        low, high = self.means.min(axis=1) + reach, self.means.max(axis=1) + reach
        # Compared in the nearer tail, where probabilities keep their digits.
        side, shares = np.where(normal_scores > 0, -1.0, 1.0), np.exp(self.log_shares)
        probability = ndtr(side * normal_scores)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            z = side[:, None] * (middle[:, None] - self.means) / self.spread[:, None]
            gap = side * (np.sum(shares * ndtr(z), axis=1) - probability)
            low, high = np.where(gap < 0, middle, low), np.where(gap < 0, high, middle)
        return 0.5 * (low + high)


@dataclass(frozen=True)
class Calibration:
    """How what was predicted of held-out cells agrees with them.

    Attributes
    ----------
    distances : tuple of ndarrays, one per numeric column
        Absolute normal scores of its held-out cells; of an exact prediction, those of
        a standard normal variable.
    temperature : float
        What log-probabilities of levels are to be divided by.
    """

    distances: tuple[np.ndarray, ...]
    temperature: float = 1.0

    @classmethod
    def of_cells(
        cls,
        column: Sequence[int],
        normal_scores: np.ndarray,
        n_columns: int,
        temperature: float = 1.0,
    ) -> Calibration:
        """Sort the normal scores of cells by their columns."""
        column, distance = np.asarray(column), np.abs(normal_scores)
        distances = tuple(distance[column == k] for k in range(n_columns))
        return cls(distances, temperature)

    def reach(self, confidence_level: float) -> np.ndarray:
        """Return the normal score at which intervals end, for each column.

        A share `confidence_level` of held-out cells lies within (split conformal
        prediction with the probability integral transform as score: Chernozhukov,
        Wüthrich & Zhu 2021, *Distributional conformal prediction*), over all columns,
        once each column's distances are divided by its width.
        """
        expected, found = _half_normal_quantile(confidence_level), 1.0
        cells = self._scaled
        if len(cells):
            level = _supported(confidence_level, len(cells))
            found = _quantile(cells, level) / _half_normal_quantile(level)
        # Few cells: what the model says counts as much as some of them would.
        trust = len(cells) / (len(cells) + _PRIOR_CELLS)
        widths = _widths(self.distances)
        return expected * widths * max(found, _LEAST_WIDTH) ** trust

    @property
    def _scaled(self) -> np.ndarray:
        """All distances over widths of their columns that others of these tell.

        By its own cells a column would look narrower at the tails than it is.
        """
        halves = [tuple(cells[k::2] for cells in self.distances) for k in range(2)]
        parts = [np.zeros(0)]
        for half, other in (halves, halves[::-1]):
            pairs = zip(half, _widths(other), strict=True)
            parts += [cells / width for cells, width in pairs]
        return np.concatenate(parts)


def fit_temperature(log_probabilities: Sequence[np.ndarray], codes) -> float:
    """Return by what log-probabilities of levels are to be divided.

    The likeliest temperature of held-out cells (Guo et al. 2017, *On calibration of
    modern neural networks*, section 4.2), drawn to one where they are few.

    Parameters
    ----------
    log_probabilities : sequence of ndarray of shape (n_cells, n_levels)
        What was said of held-out cells, column by column.
    codes : sequence of int ndarray of shape (n_cells,)
        Which level each of them has.
    """
    n_cells = sum(map(len, codes))
    if not n_cells:
        return 1.0

    def loss(log_temperature):
        total = 0.0
        for said, true in zip(log_probabilities, codes, strict=True):
            cooled = said * np.exp(-log_temperature)
            right = cooled[np.arange(len(true)), true]
            total += np.sum(logsumexp(cooled, axis=1) - right)
        return total

    bounds = (-_LARGEST_LOG_TEMPERATURE, _LARGEST_LOG_TEMPERATURE)
    found = minimize_scalar(loss, bounds=bounds, method="bounded").x
    return float(np.exp(found * n_cells / (n_cells + _PRIOR_CELLS)))


def _widths(distances: Sequence[np.ndarray]) -> np.ndarray:
    """Return how wide the distances of each column are, beside those of all.

    A column has few held-out cells: it is drawn to all by its sampling error.
    """
    pooled = np.concatenate([np.zeros(0), *distances])
    count = np.array([len(cells) for cells in distances], int)
    log_width = np.zeros(len(count))
    for k in np.flatnonzero(count):
        level = _supported(_COMPARED_AT, count[k])
        own, common = (_quantile(cells, level) for cells in (distances[k], pooled))
        if common > 0:
            log_width[k] = np.log(max(own / common, _LEAST_WIDTH))
    # The sampling variance of a log-quantile of |N(0, 1)|, whose density is 2 phi.
    at = _half_normal_quantile(_COMPARED_AT)
    slope = 2.0 * np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi) * at
    variance = _COMPARED_AT * (1.0 - _COMPARED_AT) / slope**2 / np.maximum(count, 1)
    return np.exp(shrink(log_width, variance, count > 0, 0.0, _MOST_VARIANCE))


def _half_normal_quantile(level: float) -> float:
    return float(ndtri(0.5 + 0.5 * level))


def _supported(level: float, count: int) -> float:
    """Return a level, or the largest that so many cells tell of."""
    return min(level, count / (count + 1))


def _quantile(distances: np.ndarray, level: float) -> float:
    # Of n cells and a new one, each is as likely to be the farthest.
    return float(np.quantile(distances, level, method="weibull"))


def check_confidence_level(confidence_level) -> None:
    """Raise unless a confidence level is a number between 0 and 1."""
    is_number = isinstance(confidence_level, Real)
    if not is_number or not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level: got {confidence_level!r}, expected a number in (0, 1)."
        )
