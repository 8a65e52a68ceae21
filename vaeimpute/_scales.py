"""Scales of scores: how a column of numbers becomes normal given the latent.

A number's likelihood is a normal distribution of its score: `Normal`, `LogNormal`,
`LogitNormal`, `Count` and `Ordinal` say what the score is. Training sees scores
alone; guesses and draws are taken back to values here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

#: Columns less skewed than this stay as they are, as do those whose scores would
#: be more than this share as skewed (docs/experiments.md, trial 16).
_MIN_SKEWNESS = 1.0
_MAX_SKEWNESS_LEFT = 0.75

#: Numbers that all lie far below 1 are not taken for shares of it.
_LEAST_LARGEST_SHARE = 0.5

#: Largest logarithm of a number: exp() of more overflows.
_MAX_LOG = 700.0

#: Nodes and weights that integrate a function of a standard normal variable.
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


class NumericLikelihood(Protocol):
    """A column of numbers, or of ordered codes, that is normal on some scale."""

    name: str
    is_discrete: bool  # has `interval`; otherwise `log_slope`
    uses_spread: bool  # in `mean`

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Return values on the scale on which they are normal given z."""

    def mean(self, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return the best guess of values whose scores are N(centre, spread^2)."""

    def draw(self, scores: np.ndarray) -> np.ndarray:
        """Return the values that have these scores."""

    def value(self, scores: np.ndarray) -> np.ndarray:
        """Return the same of numbers, not rounded where draws are."""


@dataclass(frozen=True)
class Normal:
    """Any number, as it is."""

    name = "normal"
    is_discrete = False
    uses_spread = False

    @classmethod
    def fit(cls, known: np.ndarray) -> Normal:
        """Learn nothing."""
        return cls()

    def scores(self, values):
        """Return the values themselves."""
        return values

    def mean(self, centre, spread):
        """Return the centre."""
        return centre

    def draw(self, scores):
        """Return the scores themselves."""
        return scores

    value = draw

    def log_slope(self, values):
        """Return log |d score / d value|."""
        return np.zeros_like(values)


@dataclass(frozen=True)
class LogNormal:
    """Numbers from zero up whose logarithm is normal given z.

    Attributes
    ----------
    knee : float
        Scores are ``log(knee + value)``: about linear below the knee, so that
        zeros may occur; 0 where all observed values are positive.
    low, high : float
        Range of the observed values.
    """

    knee: float
    low: float
    high: float

    name = "lognormal"
    is_discrete = False
    uses_spread = True

    @classmethod
    def fit(cls, known: np.ndarray) -> LogNormal:
        """Choose the knee that leaves the scores least skewed."""
        low, high = np.min(known), np.max(known)
        if low < 0 or high <= 0:
            raise ValueError(f"values from {low:g} to {high:g}, expected none below 0")
        knees = [cls._least_knee(known), float(np.median(known[known > 0]))]
        fits = [cls(knee, low, high) for knee in knees]
        return min(fits, key=lambda fit: abs(skewness(fit.scores(known))))

    @staticmethod
    def _least_knee(known) -> float:
        smallest = np.min(known)
        return 0.0 if smallest > 0 else float(np.min(known[known > 0]))

    def scores(self, values):
        """Return the logarithm; values below the range that has one are moved up."""
        lowest = self.low if self.knee == 0 else 0.0
        return np.log(self.knee + np.where(values <= 0, lowest, values))

    def mean(self, centre, spread):
        """Return the mean, no value counting beyond the observed range."""

        def bounded(scores):
            return np.clip(self.value(scores), self.low, self.high)

        return _mean_by_quadrature(bounded, centre, spread)

    def draw(self, scores):
        """Return the values that have these scores."""
        return self.value(scores)

    def value(self, scores):
        """Return the values that have these scores."""
        return np.maximum(np.exp(np.minimum(scores, _MAX_LOG)) - self.knee, 0.0)

    def log_slope(self, values):
        """Return log |d score / d value|."""
        return -self.scores(values)


class Count(LogNormal):
    """Whole numbers from zero up: a rounded log-normal variable."""

    name = "count"
    is_discrete = True

    @classmethod
    def fit(cls, known: np.ndarray) -> Count:
        """Choose the knee; counts must be whole."""
        if not is_whole(known):
            raise ValueError("fractions, expected whole numbers")
        return super().fit(known)

    @staticmethod
    def _least_knee(known) -> float:
        return 1.0  # more than 1/2, as 0 counts as everything below 1/2

    def interval(self, values):
        """Return the scores between which a value lies."""
        below = np.where(values > 0, self.scores(values - 0.5), -np.inf)
        return below, self.scores(values + 0.5)

    def draw(self, scores):
        """Return the whole numbers into whose intervals the scores fall."""
        return np.rint(self.value(scores))


@dataclass(frozen=True)
class LogitNormal:
    """Shares, of 1 or of 100, whose log-odds are normal given z.

    Attributes
    ----------
    whole : float
        1 or 100.
    margin : float
        Shares are drawn in by so much at either end, which gives 0 and 1 a
        logit (Smithson & Verkuilen 2006).
    """

    whole: float
    margin: float

    name = "logitnormal"
    is_discrete = False
    uses_spread = True

    @classmethod
    def fit(cls, known: np.ndarray) -> LogitNormal:
        """Find out what the shares are shares of."""
        low, high = np.min(known), np.max(known)
        if low < 0 or high > 100:
            raise ValueError(
                f"values from {low:g} to {high:g}, expected shares from 0 to 1 or 100"
            )
        return cls(1.0 if high <= 1 else 100.0, 0.5 / (len(known) + 1))

    def scores(self, values):
        """Return the log-odds of the shares."""
        return logit(self._inner(values))

    def mean(self, centre, spread):
        """Return the mean share."""
        return _mean_by_quadrature(self.draw, centre, spread)

    def draw(self, scores):
        """Return the shares that have these log-odds."""
        share = (expit(scores) - self.margin) / (1.0 - 2.0 * self.margin)
        return self.whole * np.clip(share, 0.0, 1.0)

    value = draw

    def log_slope(self, values):
        """Return log |d score / d value|."""
        inner = self._inner(values)
        slope = (1.0 - 2.0 * self.margin) / self.whole
        return np.log(slope) - np.log(inner) - np.log1p(-inner)

    def _inner(self, values):
        share = np.clip(values / self.whole, 0.0, 1.0)
        return self.margin + (1.0 - 2.0 * self.margin) * share


@dataclass(frozen=True)
class Ordinal:
    """Ordered levels: intervals of a normal variable (ordered probit).

    Attributes
    ----------
    cuts : ndarray of shape (n_levels - 1,)
        Ends of the intervals, such that a standard normal variable falls into
        them as often as the levels were observed.
    centres : ndarray of shape (n_levels,)
        Mean of the standard normal variable within each interval; NaN of a
        level never seen.
    """

    cuts: np.ndarray
    centres: np.ndarray

    name = "ordinal"
    is_discrete = True
    uses_spread = True

    @classmethod
    def fit(cls, known: np.ndarray, n_levels: int) -> Ordinal:
        """Place the cuts by the shares of the levels, given as codes."""
        share = np.bincount(known.astype(int), minlength=n_levels) / len(known)
        ends = ndtri(np.clip(np.cumsum(np.append(0.0, share)), 0.0, 1.0))
        ends[-1] = np.inf
        density = np.exp(-0.5 * ends**2) / math.sqrt(2.0 * math.pi)
        with np.errstate(invalid="ignore"):  # 0 / 0 of levels never seen
            centres = (density[:-1] - density[1:]) / share
        return cls(ends[1:-1], centres)

    def scores(self, values):
        """Return the centre of each code's interval; NaN of missing codes."""
        known = ~np.isnan(values)
        scores = np.full(values.shape, np.nan)
        scores[known] = self.centres[values[known].astype(int)]
        return scores

    def mean(self, centre, spread):
        """Return the likeliest code: levels have no mean."""
        return np.argmax(self.probabilities(centre, spread), axis=1).astype(float)

    def probabilities(self, centre, spread):
        """Return the probability of each code, (n_rows, n_levels)."""
        ends = np.concatenate([[-np.inf], self.cuts, [np.inf]])
        below = ndtr((ends - centre[:, None]) / spread[:, None])
        return np.diff(below, axis=1)

    def draw(self, scores):
        """Return the codes into whose intervals the scores fall."""
        return np.searchsorted(self.cuts, scores).astype(float)

    def interval(self, values):
        """Return the scores between which a code lies."""
        ends = np.concatenate([[-np.inf], self.cuts, [np.inf]])
        code = np.where(np.isnan(values), 0, values).astype(int)
        return ends[code], ends[code + 1]


def choose_likelihood(known: np.ndarray):
    """Choose how a column of numbers is distributed, by its observed values.

    Values from zero up (or shares of 1) that are far from symmetric are taken to
    a scale on which they are clearly less skewed, if there is one.
    """
    asymmetry = abs(skewness(known))
    if asymmetry <= _MIN_SKEWNESS or np.min(known) < 0:
        return Normal()
    # Larger numbers are whole in double precision, counted or not.
    is_counted = is_whole(known) and np.max(known) < 2.0**52
    fits = [Count.fit(known) if is_counted else LogNormal.fit(known)]
    if _LEAST_LARGEST_SHARE <= np.max(known) <= 1 and not fits[0].is_discrete:
        fits.append(LogitNormal.fit(known))
    skews = [abs(skewness(fit.scores(known))) for fit in fits]
    best = int(np.argmin(skews))
    return fits[best] if skews[best] < _MAX_SKEWNESS_LEFT * asymmetry else Normal()


#: Likelihoods of columns with levels, and those of numbers by name.
NOMINAL_LIKELIHOODS = ("bernoulli", "categorical", "ordinal")
NUMERIC_LIKELIHOODS = {
    kind.name: kind for kind in (Normal, LogNormal, LogitNormal, Count)
}


def skewness(values: np.ndarray) -> float:
    """Return the third standardised moment, 0 of equal values."""
    size = np.max(np.abs(values)) or 1.0
    centred = values / size - np.mean(values / size)
    spread = np.std(values / size)
    if spread <= 1e-12:
        return 0.0
    return float(np.mean((centred / spread) ** 3))


def is_whole(values: np.ndarray) -> bool:
    """Return whether all values are whole numbers."""
    return bool(np.all(values == np.rint(values)))


def _mean_by_quadrature(values_of, centre, spread):
    """Return E[values_of(N(centre, spread^2))] by Gauss and Hermite's rule."""
    scores = centre[:, None] + spread[:, None] * _NODES
    return values_of(scores) @ _NODE_WEIGHTS
