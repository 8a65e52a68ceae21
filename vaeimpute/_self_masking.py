"""Cells that are missing because of their own value, in columns that a person names.

``P(x_j is missing | x_j) = Phi(slope_j x_j - offset_j)`` stands beside the linear core,
which is fitted anew with it: what is observed of such a column is a selection, and what
is missing lies elsewhere. Numbers are standardised scores, as the core's are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, softmax

from vaeimpute import _numpy_ops
from vaeimpute._conditional import Draws, Filling, FittedVAE
from vaeimpute._encoding import Rows
from vaeimpute._factor_analysis import (
    FactorAnalysis,
    expected_moments,
    maximise,
    sort_by_pattern,
)
from vaeimpute._latent_posterior import draw_latent
from vaeimpute._row_streams import RowStreams
from vaeimpute._threads import one_blas_thread
from vaeimpute._vae import core_weights

#: Steps of stochastic EM, those of them that forget what came before, and how fast
#: later ones do so (Delyon, Lavielle & Moulines 1999: between one half and one).
_STEPS, _BURN_IN, _FORGETTING = 400, 250, 0.7

#: Rows that it is fitted to, at most.
_FIT_ROWS = 2_000

#: Slopes start at the first, are normal around zero with the second's precision, and
#: stay below the third, where a limit is as good as sharp.
_FIRST_SLOPE, _SLOPE_PRECISION, _LARGEST_SLOPE = 1.5, 1.0, 10.0

_NEWTON_STEPS = 3

#: Draws of z per row that guesses are means over, and of which a draw keeps one.
_LATENT_DRAWS, _DRAWN_LATENTS = 256, 64


@dataclass(frozen=True)
class SelfMasking:
    """How likely cells are to be missing, by what stands in them.

    Attributes
    ----------
    columns : int ndarray of shape (n_columns,)
        Their places among the numeric columns of encoded rows.
    slope, offset : ndarrays of shape (n_columns,)
    """

    columns: np.ndarray
    slope: np.ndarray
    offset: np.ndarray

    def given_missing(self, mean: np.ndarray, variance: np.ndarray):
        """Return log P(missing), and mean and variance of numbers that are missing.

        Of N(mean, variance), which weighed by the probit is no longer normal:
        with ``s = slope x - offset + e > 0`` it is a regression on a truncated normal.

        Parameters
        ----------
        mean, variance : ndarrays of shape (..., n_columns)
        """
        spread = np.sqrt(1.0 + self.slope**2 * variance)
        u = (self.slope * mean - self.offset) / spread
        log_probability = log_ndtr(u)
        hazard = np.exp(-0.5 * (u**2 + np.log(2 * np.pi)) - log_probability)
        gain = self.slope * variance / spread
        moved = mean + gain * hazard
        return log_probability, moved, variance - gain**2 * hazard * (hazard + u)

    def log_likelihood(self, core: FactorAnalysis, values, observed) -> np.ndarray:
        """Return log p(observed cells, which are missing) of each row, (n_rows,)."""
        latent, covariance = core.posterior(values, observed)
        fitted = core.mean + latent @ core.loadings.T
        square = (values - fitted) ** 2 / core.noise + np.log(2 * np.pi * core.noise)
        # log p(x) = log p(x | z) + log p(z) - log p(z | x), at any z.
        density = -0.5 * np.sum(np.where(observed, square, 0.0), axis=1)
        density += 0.5 * np.linalg.slogdet(covariance)[1]
        density -= 0.5 * np.sum(latent**2, axis=1)
        root = np.linalg.cholesky(covariance)
        at, known = self.columns, observed[:, self.columns]
        draws = []
        for noise in _latent_noise(core.rank):
            numbers = core.mean + (latent + root @ noise) @ core.loadings.T
            missing, _, _ = self.given_missing(numbers[:, at], core.noise[at])
            draws.append(np.sum(np.where(known, 0.0, missing), axis=1))
        shown = log_ndtr(self.offset - self.slope * values[:, at])
        density += np.sum(np.where(known, shown, 0.0), axis=1)
        return density + logsumexp(draws, axis=0) - np.log(len(draws))


@dataclass(frozen=True)
class SelfMaskedVAE(FittedVAE):
    """A linear core whose answers know why cells are missing.

    Attributes
    ----------
    masking : SelfMasking
    """

    masking: SelfMasking | None = None

    def fill(self, rows: Rows, with_variance: bool = True) -> Filling:
        """Return the guesses; of self-masked columns as of missing cells.

        Their variance comes with the weights, whether it is asked for or not.
        """
        return Filling(*self._by_blocks(self._filled_block, *rows))

    def draw_around_guesses(self, rows: Rows, streams: RowStreams) -> Draws:
        """Draw all cells of each row; of self-masked columns as if missing."""
        noise, gumbel = self._cell_noise(streams)
        drawn = self._by_blocks(
            self._drawn_block,
            *rows,
            streams.normal(_DRAWN_LATENTS, self.architecture.n_latent),
            streams.gumbel(_DRAWN_LATENTS),
            noise,
        )
        return Draws(drawn[0], drawn[1] + gumbel)

    def _filled_block(self, weights, values, observed):
        """Return means over latents that are weighed by what is missing."""
        plain = self._fill_block(weights, values, observed)
        noises = _latent_noise(self.architecture.n_latent)[:, None]
        numbers, variance, log_levels, log_weights = self._selected(
            weights, values, observed, noises
        )
        share = softmax(log_weights, axis=0)[..., None]
        mean = np.sum(share * numbers, axis=0)
        # The law of total variance.
        variance = np.sum(share * (variance + (numbers - mean) ** 2), axis=0)
        log_levels = logsumexp(np.log(share) + log_levels, axis=0)
        known = observed[:, self.masking.columns].all(axis=1, keepdims=True)
        pairs = zip(plain, (mean, variance, log_levels), strict=True)
        return tuple(np.where(known, other, own) for other, own in pairs)

    def _drawn_block(self, weights, values, observed, noises, gumbel, noise):
        """Return numbers and log-probabilities of levels at one latent of each row."""
        numbers, variance, log_levels, log_weights = self._selected(
            weights, values, observed, noises.swapaxes(0, 1)
        )
        # The largest of log-weights plus Gumbel noise is a categorical draw.
        at = np.argmax(log_weights + gumbel.T, axis=0), np.arange(len(values))
        return numbers[at] + np.sqrt(variance[at]) * noise, log_levels[at]

    def _selected(self, weights, values, observed, noises):
        """Decode latents of each row's posterior, weighed by what is missing.

        Parameters
        ----------
        noises : ndarray that broadcasts to (n_draws, n_rows, n_latent)

        Returns
        -------
        numbers, variance : ndarrays of shape (n_draws, n_rows, n_numeric)
            Given the latent; of self-masked columns given that the cell is missing.
        log_levels : ndarray of shape (n_draws, n_rows, n_levels)
        log_weights : ndarray of shape (n_draws, n_rows)
        """
        posterior, model = self._posterior(weights, values, observed), self._model()
        shape, decoded = posterior.mean.shape, []
        for noise in noises:
            latent = draw_latent(_numpy_ops, posterior, np.broadcast_to(noise, shape))
            decoded.append(
                self._side_by_side(model.decode(weights, self.layout, latent))
            )
        numbers, log_levels = self._split(np.array(decoded))
        noise = np.exp(weights["decoder.log_noise"])
        variance = np.broadcast_to(noise, numbers.shape).copy()
        at = self.masking.columns
        missing, numbers[..., at], variance[..., at] = self.masking.given_missing(
            numbers[..., at], variance[..., at]
        )
        log_weights = np.where(observed[:, at], 0.0, missing).sum(axis=-1)
        return numbers, variance, log_levels, log_weights


def fit_self_masking(
    model: FittedVAE,
    rows: Rows,
    columns: np.ndarray,
    signs: np.ndarray,
    generator: np.random.Generator,
) -> SelfMaskedVAE:
    """Fit core and self-masking together, starting from the core of a model.

    Parameters
    ----------
    model : FittedVAE
        Without networks.
    rows : Rows
    columns : int ndarray of shape (n_columns,)
        Places among the numeric columns.
    signs : ndarray of shape (n_columns,)
        1 where large values go missing, -1 where small ones do, 0 where it is to be
        learned: from both starts, of which the likelier end is taken.
    generator : numpy.random.Generator
    """
    at = np.linspace(0, len(rows.values) - 1, min(len(rows.values), _FIT_ROWS))
    some = Rows(*(array[at.astype(int)] for array in rows))
    values, observed = model.core_values(some)
    starts = [np.where(signs == 0, sign, signs) for sign in (1.0, -1.0)]
    if not np.any(signs == 0):
        del starts[1]
    core, fits = model.linear_core(), []
    with one_blas_thread:
        for start, other in zip(starts, generator.spawn(len(starts)), strict=True):
            fit = _Fit(core, values, observed, columns, signs, start, other)
            fits.append(fit.run())
        totals = [
            masking.log_likelihood(core, values, observed).sum()
            for core, masking in fits
        ]
    core, masking = fits[int(np.argmax(totals))]
    weights = core_weights(core, model.architecture)
    return SelfMaskedVAE(**vars(model) | {"weights": weights}, masking=masking)


class _Fit:
    """Stochastic EM: missing cells are drawn, then the model follows from averages.

    Stochastic approximation (Delyon, Lavielle & Moulines 1999); the probit's own noise
    is drawn as well, so that all draws are exact (Albert & Chib 1993).
    """

    def __init__(self, core, values, observed, columns, signs, start, generator):
        self._core, self._columns, self._signs = core, columns, signs
        self._missing, self._generator = ~observed, generator
        share = self._missing[:, columns].mean(axis=0).clip(0.01, 0.99)
        slope = _FIRST_SLOPE * start
        offset = -ndtri(share) * np.sqrt(1.0 + slope**2)
        self._masking = SelfMasking(columns, slope, offset)
        guesses = core.predict(values, observed)
        guesses[:, columns] += start
        self._values = np.where(observed, values, guesses)
        self._all = np.ones_like(observed)
        self._moments, self._second = None, np.eye(core.rank)

    def run(self) -> tuple[FactorAnalysis, SelfMasking]:
        """Return the fitted core and self-masking."""
        for step in range(_STEPS):
            gain = max(1, step - _BURN_IN + 1) ** -_FORGETTING
            self._draw_missing()
            rows = sort_by_pattern(self._values, self._all)
            moments = expected_moments(self._core, rows)
            if self._moments is not None:
                pairs = zip(self._moments, moments, strict=True)
                moments = type(moments)(*(x + gain * (y - x) for x, y in pairs))
            self._moments = moments
            self._core, self._second = maximise(moments, self._core.noise, self._second)
            self._masking = self._following(gain)
        return self._core, self._masking

    def _draw_missing(self) -> None:
        """Draw latents given whole rows, then missing cells given latents."""
        core, generator = self._core, self._generator
        latent, covariance = core.posterior(self._values, self._all)
        root = np.linalg.cholesky(covariance[0])
        latent = latent + generator.standard_normal(latent.shape) @ root.T
        mean = core.mean + latent @ core.loadings.T
        noise = generator.standard_normal(mean.shape)
        drawn = mean + np.sqrt(core.noise) * noise
        at, masking = self._columns, self._masking
        variance = core.noise[at]
        # s = slope x - offset + e is positive where x is missing; then x given s.
        spread = np.sqrt(1.0 + masking.slope**2 * variance)
        centre = masking.slope * mean[:, at] - masking.offset
        excess = _positive_normal(centre, spread, generator)
        precision = 1.0 / variance + masking.slope**2
        pull = masking.slope * (excess + masking.offset)
        drawn[:, at] = (mean[:, at] / variance + pull) / precision
        drawn[:, at] += noise[:, at] / np.sqrt(precision)
        self._values[self._missing] = drawn[self._missing]

    def _following(self, gain: float) -> SelfMasking:
        """Return the probit regression of what is missing on what was drawn there."""
        slopes, offsets = self._masking.slope.copy(), self._masking.offset.copy()
        for k, j in enumerate(self._columns):
            before = np.array([slopes[k], offsets[k]])
            after = _probit(before, self._values[:, j], self._missing[:, j])
            slope, offset = before + gain * (after - before)
            if slope * self._signs[k] < 0:
                slope = 0.0
            if abs(slope) > _LARGEST_SLOPE:
                slope, offset = (
                    _LARGEST_SLOPE / abs(slope) * x for x in (slope, offset)
                )
            slopes[k], offsets[k] = slope, offset
        return SelfMasking(self._columns, slopes, offsets)


def _probit(start, numbers, missing) -> np.ndarray:
    """Take some steps of Newton's method from (slope, offset)."""
    design = np.column_stack([numbers, -np.ones(len(numbers))])
    side, estimate = np.where(missing, 1.0, -1.0), start.copy()
    prior = np.diag([_SLOPE_PRECISION, 1e-3])
    for _ in range(_NEWTON_STEPS):
        u = side * (design @ estimate)
        hazard = np.exp(-0.5 * (u**2 + np.log(2 * np.pi)) - log_ndtr(u))
        gradient = design.T @ (side * hazard) - prior @ estimate
        curvature = (design * (hazard * (hazard + u))[:, None]).T @ design + prior
        estimate = estimate + np.linalg.solve(curvature, gradient)
    return estimate


def _positive_normal(mean, spread, generator) -> np.ndarray:
    """Draw from normal distributions given that the number is positive."""
    # By the upper tail, whose probability is exact where little is left of it.
    tail = ndtr(mean / spread) * generator.random(mean.shape)
    return np.maximum(mean - spread * ndtri(np.maximum(tail, 1e-300)), 0.0)


def _latent_noise(n_latent: int) -> np.ndarray:
    """Return fixed antithetic standard normal draws, (n_draws, n_latent)."""
    half = np.random.default_rng(0).standard_normal((_LATENT_DRAWS // 2, n_latent))
    return np.concatenate([half, -half])
