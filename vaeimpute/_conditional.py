"""Answers of a fitted model: reconstructions, densities and new rows, in NumPy.

Rows are answered in blocks of one fixed size, so that a row's answer is the
same to the bit whatever rows stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from vaeimpute import _numpy_ops
from vaeimpute._encoding import Intervals, Layout, Rows
from vaeimpute._likelihoods import (
    log_interval_probability,
    pool_levels,
    pool_numbers,
)
from vaeimpute._threads import one_blas_thread
from vaeimpute._vae import (
    VAE,
    Architecture,
    Decoded,
    draw_latent,
    latent_log_density,
)

_BLOCK_ROWS = 64

#: Draws of z per row behind a density.
_DENSITY_DRAWS = 64


class Filling(NamedTuple):
    """What the model says of every cell, given the observed cells of its row.

    Attributes
    ----------
    numbers, variance : ndarrays of shape (n_rows, n_numeric)
        Mean and variance of the standardised scores.
    log_levels : ndarray of shape (n_rows, n_levels)
        Log-probabilities of the levels of all nominal columns.
    """

    numbers: np.ndarray
    variance: np.ndarray
    log_levels: np.ndarray


@dataclass(frozen=True)
class FittedVAE:
    """A trained model as plain data.

    Attributes
    ----------
    architecture : Architecture
    weights : dict of str to ndarray
    layout : Layout
    core : FittedVAE or None
        The linear core alone, where it has a share in filling.
    network_share : ndarray of shape (n_columns,) or None
        This model's share in the fillings of each column; the core has the rest.
    """

    architecture: Architecture
    weights: dict[str, np.ndarray]
    layout: Layout
    core: FittedVAE | None = None
    network_share: np.ndarray | None = None

    def fill(self, rows: Rows) -> Filling:
        """Return the guesses of this model, pooled with those of the core."""
        own = self._fill_alone(rows)
        if self.core is None:
            return own
        core = self.core.fill(rows)
        of_numbers, of_nominal = np.split(
            self.network_share, [self.architecture.n_numeric]
        )
        of_levels = of_nominal[self.layout.level_column]
        return Filling(
            pool_numbers(core.numbers, own.numbers, of_numbers),
            pool_numbers(core.variance, own.variance, of_numbers),
            pool_levels(core.log_levels, own.log_levels, of_levels),
        )

    def _fill_alone(self, rows: Rows) -> Filling:
        """Decode each row at the point that fills it best."""
        model, weights, sizes = self._model(), self._weights(), self.architecture
        widths = (sizes.n_numeric, sizes.n_numeric, sizes.n_levels)
        filling = Filling(*(np.empty((len(rows.values), width)) for width in widths))
        with one_blas_thread:
            for block, padded in _blocks(rows):
                cells = model.cells(self.layout, padded.values, padded.observed)
                posterior = model.encode(weights, self.layout, cells)
                decoded = model.decode(weights, self.layout, posterior.fill)
                variance = model.number_variance(weights, posterior)
                if self.architecture.is_mixture:  # the law of total variance
                    variance = variance.mean(axis=0) + decoded.numbers.var(axis=0)
                log_levels = model.log_levels(self.layout, decoded)
                numbers, log_levels = model.pool(decoded.numbers, log_levels)
                answers = (numbers, variance, log_levels)
                for whole, part in zip(filling, answers, strict=True):
                    whole[block] = part[: block.stop - block.start]
        return filling

    def log_density(
        self,
        rows: Rows,
        log_noise_floor: np.ndarray,
        intervals: Intervals | None = None,
    ) -> np.ndarray:
        """Estimate log p(observed cells) of each row, in encoded units.

        The importance-weighted bound (Burda et al. 2016, eq. 8) over draws from
        the row's own posterior, the same noise for every row. Without networks
        every weight equals p(x): the estimate is exact.

        Parameters
        ----------
        rows : Rows
        log_noise_floor : ndarray of shape (n_numeric,)
            Least log-variance of the decoder's noise.
        intervals : Intervals, optional
            Cells that count with the probability of an interval; none by default.

        Returns
        -------
        log_density : ndarray of shape (n_rows,)
            Nats; zero for a row with nothing observed.
        """
        if intervals is None:
            intervals = Intervals(np.zeros(0, int), *np.zeros((2, len(rows.values), 0)))
        weights = self._weights()
        noise = np.maximum(weights["decoder.log_noise"], log_noise_floor)
        weights["decoder.log_noise"] = noise
        density = np.empty(len(rows.values))
        with one_blas_thread:
            for block, padded in _blocks(rows):
                ends = (_padded(end, block) for end in intervals[1:])
                some = Intervals(intervals.columns, *ends)
                bound = self._importance_bound(weights, padded, some)
                density[block] = bound[: block.stop - block.start]
        return np.where(rows.observed.any(axis=1), density, 0.0)

    def sample(
        self, n_rows: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw new rows from the prior.

        Returns
        -------
        numbers : ndarray of shape (n_rows, n_numeric)
            With the decoder's noise.
        log_levels : ndarray of shape (n_rows, n_levels)
            Perturbed log-probabilities: each column's largest is its draw.
        """
        weights, model = self._weights(), self._model()
        latent = generator.standard_normal((n_rows, self.architecture.n_latent))
        decoded = model.decode(weights, self.layout, latent)
        if self.architecture.is_mixture:
            network = generator.integers(self.architecture.n_networks, size=n_rows)
            decoded = Decoded(*(array[network, np.arange(n_rows)] for array in decoded))
        spread = np.exp(0.5 * weights["decoder.log_noise"])
        numbers = decoded.numbers
        numbers = numbers + spread * generator.standard_normal(numbers.shape)
        log_levels = model.log_levels(self.layout, decoded)
        # The largest of log-probabilities plus Gumbel noise is a categorical draw.
        return numbers, log_levels + generator.gumbel(size=log_levels.shape)

    def _importance_bound(self, weights, rows: Rows, intervals) -> np.ndarray:
        model = self._model()
        cells = model.cells(self.layout, rows.values, rows.observed)
        posterior = model.encode(weights, self.layout, cells)
        log_weights = []
        for noise in _density_noise(self.architecture.n_latent):
            noise = np.broadcast_to(noise, posterior.mean.shape)
            latent = draw_latent(_numpy_ops, posterior, noise)
            log_weights.append(
                self._joint_log_density(model, weights, cells, intervals, latent)
                - latent_log_density(_numpy_ops, posterior, noise)
            )
        # Draws of all networks count alike: those of a mixture.
        log_weights = np.reshape(log_weights, (-1, len(rows.values)))
        return logsumexp(log_weights, axis=0) - np.log(len(log_weights))

    def _joint_log_density(self, model, weights, cells, intervals, latent):
        """Return log p(x, z) per row."""
        decoded = model.decode(weights, self.layout, latent)
        cell = model.log_likelihood(weights, self.layout, cells, decoded)
        at = intervals.columns
        spread = np.exp(0.5 * weights["decoder.log_noise"][at])
        probability = log_interval_probability(
            intervals.low, intervals.high, decoded.numbers[..., at], spread
        )
        cell[..., at] = np.where(cells.observed[:, at] > 0, probability, 0.0)
        constant = latent.shape[-1] * np.log(2 * np.pi)
        return cell.sum(axis=-1) - 0.5 * (constant + np.sum(latent**2, axis=-1))

    def _model(self) -> VAE:
        return VAE(self.architecture, _numpy_ops)

    def _weights(self) -> dict[str, np.ndarray]:
        return {name: w.astype(np.float64) for name, w in self.weights.items()}


def _blocks(rows: Rows) -> Iterator[tuple[slice, Rows]]:
    """Yield where each block lies and its rows, padded to the fixed size."""
    n_rows = len(rows.values)
    for start in range(0, n_rows, _BLOCK_ROWS):
        block = slice(start, min(start + _BLOCK_ROWS, n_rows))
        values, observed = (_padded(array, block) for array in rows)
        yield block, Rows(values.astype(np.float64), observed)


def _padded(array: np.ndarray, block: slice) -> np.ndarray:
    """Return a block of rows, with zeros up to the fixed size."""
    return np.pad(array[block], [(0, _BLOCK_ROWS - (block.stop - block.start)), (0, 0)])


def _density_noise(n_latent: int) -> np.ndarray:
    """Return fixed antithetic standard normal draws, (n_draws, 1, n_latent)."""
    half = np.random.default_rng(0).standard_normal((_DENSITY_DRAWS // 2, 1, n_latent))
    return np.concatenate([half, -half])
