"""What is predicted of single numbers, and how far that is to be trusted.

A missing number is predicted by a mixture of normal distributions of its score, one
for each latent that its row may have. Where the true numbers of held-out cells lie in
what was predicted of them tells how far intervals have to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, ndtri_exp

from vaeimpute._likelihoods import shrink

#: Halvings of the range in which a quantile is known to lie.
_HALVINGS = 40

#: Columns differ alike at all levels: they are compared where few cells tell most
#: (docs/experiments.md, trial 50), and none counts as narrower than this beside all.
_COMPARED_AT, _LEAST_WIDTH = 0.8, 1e-3


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
        probability, reach = ndtr(normal_scores), self.spread * normal_scores
        # Every component has this quantile between these ends, so the mixture has.
        low, high = self.means.min(axis=1) + reach, self.means.max(axis=1) + reach
        shares = np.exp(self.log_shares)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            z = (middle[:, None] - self.means) / self.spread[:, None]
            is_below = np.sum(shares * ndtr(z), axis=1) < probability
            low, high = (
                np.where(is_below, middle, low),
                np.where(is_below, high, middle),
            )
        return 0.5 * (low + high)


@dataclass(frozen=True)
class Calibration:
    """Where the numbers of held-out cells lie in what was predicted of them.

    Attributes
    ----------
    distances : tuple of ndarrays, one per numeric column
        Absolute normal scores of its held-out cells; of an exact prediction, those of
        a standard normal variable.
    """

    distances: tuple[np.ndarray, ...]

    @classmethod
    def of_cells(
        cls, column: Sequence[int], normal_scores: np.ndarray, n_columns: int
    ) -> Calibration:
        """Sort the normal scores of cells by their columns."""
        column, distance = np.asarray(column), np.abs(normal_scores)
        return cls(tuple(distance[column == k] for k in range(n_columns)))

    def reach(self, confidence_level: float) -> np.ndarray:
        """Return the normal score at which intervals end, for each column.

        A share `confidence_level` of held-out cells lies within (split conformal
        prediction with the probability integral transform as score: Chernozhukov,
        Wüthrich & Zhu 2021, *Distributional conformal prediction*).
        """
        cells = np.concatenate([np.zeros(0), *self.distances])
        if not _quantile(cells, _COMPARED_AT) > 0:
            return np.full(len(self.distances), _half_normal_quantile(confidence_level))
        return _quantile(cells, confidence_level) * np.exp(self._log_widths(cells))

    def _log_widths(self, cells) -> np.ndarray:
        """Return how wide the distances of each column are, beside those of all.

        A column has few held-out cells: it is drawn to all by its sampling error.
        """
        common = _quantile(cells, _COMPARED_AT)
        own = [_quantile(distances, _COMPARED_AT) for distances in self.distances]
        log_width = np.log(np.maximum(np.array(own) / common, _LEAST_WIDTH))
        # The sampling variance of a log-quantile of |N(0, 1)|, whose density is 2 phi.
        at = _half_normal_quantile(_COMPARED_AT)
        slope = 2.0 * np.exp(-0.5 * at**2) / np.sqrt(2.0 * np.pi) * at
        count = np.array([len(distances) for distances in self.distances])
        variance = _COMPARED_AT * (1.0 - _COMPARED_AT) / slope**2 / np.maximum(count, 1)
        return shrink(log_width, variance, count > 0, 0.0)


def _half_normal_quantile(level: float) -> float:
    return float(ndtri(0.5 + 0.5 * level))


def _quantile(distances: np.ndarray, level: float) -> float:
    """Return a quantile of distances; 0 of none."""
    if not len(distances):
        return 0.0
    # Of n cells and a new one, each is as likely to be the farthest.
    return float(np.quantile(distances, level, method="weibull"))


def check_confidence_level(confidence_level) -> None:
    """Raise unless a confidence level is a number between 0 and 1."""
    is_number = isinstance(confidence_level, Real)
    if not is_number or not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level: got {confidence_level!r}, expected a number in (0, 1)."
        )
