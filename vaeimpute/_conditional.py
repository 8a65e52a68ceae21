"""Answers of a fitted model: reconstructions, densities and new rows, in NumPy.

Rows are answered in blocks of one fixed size, so that a row's answer is the
same to the bit whatever rows stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from vaeimpute import _numpy_ops
from vaeimpute._encoding import Intervals, Layout, Rows
from vaeimpute._factor_analysis import FactorAnalysis, refit_to_drawn_rows
from vaeimpute._importance import (
    CANDIDATES,
    CANDIDATES_OF_NEW_ROWS,
    Importance,
    candidate_noise,
    density_noise,
    no_intervals,
    shares_in_centre,
)
from vaeimpute._latent_posterior import Posterior, draw_latent
from vaeimpute._latent_prior import LatentPrior
from vaeimpute._likelihoods import pool_levels, pool_numbers
from vaeimpute._predictive import Predictive
from vaeimpute._row_streams import RowStreams
from vaeimpute._threads import one_blas_thread
from vaeimpute._vae import VAE, Architecture, Decoded

_BLOCK_ROWS = 64

#: Outputs of draws that are weighed at once, about: 64 draws of 1,000 columns.
_MAX_OUTPUTS = 2**22

#: Rows whose posteriors the prior is fitted to, and draws from each, at most.
_PRIOR_ROWS, _PRIOR_DRAWS = 5_000, 5

#: Not a seed that a table may have been drawn with: its noise would come once more,
#: and draws would be correlated with what they are drawn around.
_PRIOR_SEED = 178_413_592_606_953

#: Rows that a replicate of the core is fitted to, and rows x values x rank^2, at most.
_REPLICATE_ROWS, _REPLICATE_WORK = 1_000, 2**27


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


class Draws(NamedTuple):
    """Drawn rows.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows, n_numeric)
        Standardised scores, with the decoder's noise.
    log_levels : ndarray of shape (n_rows, n_levels)
        Perturbed log-probabilities: each column's largest is its draw.
    """

    numbers: np.ndarray
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
    priors : tuple of LatentPrior
        Where the latents of each network lie; empty, where it is N(0, I).
    n_rows : int
        Rows that the model was fitted to.
    patterns : ndarray of shape (n_patterns, n_columns), bool
        Which cells were observed in some of these rows.
    """

    architecture: Architecture
    weights: dict[str, np.ndarray]
    layout: Layout
    core: FittedVAE | None = None
    network_share: np.ndarray | None = None
    priors: tuple[LatentPrior, ...] = ()
    n_rows: int = 0
    patterns: np.ndarray | None = None

    @classmethod
    def of(cls, trained, layout: Layout, priors: tuple[LatentPrior, ...] = ()):
        """Return what training gave, `trained`, as a model that answers."""
        core, share = trained.core, trained.network_share
        core = core and cls(core.architecture, core.weights, layout)
        return cls(trained.architecture, trained.weights, layout, core, share, priors)

    def with_priors(self, rows: Rows) -> FittedVAE:
        """Return this model with priors fitted to the posteriors of rows.

        Without networks the prior is N(0, I): that is what factor analysis says.
        """
        if not self.architecture.hidden_layer_sizes:
            return self
        at = np.linspace(0, len(rows.values) - 1, min(len(rows.values), _PRIOR_ROWS))
        rows = Rows(*(array[at.astype(int)] for array in rows))
        n_rows, d = len(rows.values), self.architecture.n_latent
        n_draws = max(1, min(_PRIOR_DRAWS, _PRIOR_ROWS // n_rows))
        generator = np.random.default_rng(_PRIOR_SEED)

        def draw(weights, values, observed):
            posterior = self._posterior(weights, values, observed)
            noises = generator.standard_normal((n_draws, *posterior.mean.shape))
            draws = [draw_latent(_numpy_ops, posterior, noise) for noise in noises]
            return (np.column_stack([_side_by_side(latents) for latents in draws]),)

        (draws,) = self._by_blocks(draw, *rows)
        networks = draws.reshape(-1, self.architecture.n_posteriors, d).swapaxes(0, 1)
        with one_blas_thread:
            priors = tuple(LatentPrior.fit(latents, n_rows) for latents in networks)
        return replace(self, priors=priors)

    def with_patterns(self, observed: np.ndarray) -> FittedVAE:
        """Return this model with what `replicate` has to know of the fitted rows."""
        sizes = self.architecture
        work = max(1, sizes.n_values * sizes.n_latent**2)
        count = np.clip(_REPLICATE_WORK // work, 8 * sizes.n_latent, _REPLICATE_ROWS)
        at = np.linspace(0, len(observed) - 1, min(len(observed), int(count)))
        return replace(self, n_rows=len(observed), patterns=observed[at.astype(int)])

    def core_values(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return rows as the core sees them: values, and which of them are observed."""
        cells = self._model().cells(self.layout, *rows)
        return cells.values.astype(float), cells.present > 0

    def linear_core(self) -> FactorAnalysis:
        """Return this model's core."""
        weights = self._weights()
        return FactorAnalysis(
            weights["core.mean"],
            weights["core.loadings"],
            np.exp(weights["core.log_noise"]),
        )

    def replicate(self, generator: np.random.Generator) -> FittedVAE:
        """Return this model with a core such as other rows might have given it.

        As many rows as were fitted, or fewer, are drawn from the core, and a core is
        fitted to those of their cells that were observed. How far it is off, by the
        root of the number of rows, is how uncertain the core is; the networks go along.
        """
        core = (self.core or self).linear_core()
        nothing = np.zeros(self.patterns.shape)
        present = self.core_values(Rows(nothing, self.patterns))[1]
        with one_blas_thread:
            other = refit_to_drawn_rows(core, present, generator)
        scale = np.sqrt(len(present) / self.n_rows)
        move = FactorAnalysis(
            scale * (core.mean - other.mean),
            scale * (core.loadings - other.loadings),
            scale * np.log(core.noise / other.noise),
        )
        moved = replace(self, weights=self._moved_weights(move))
        if self.core is None:
            return moved
        core = replace(self.core, weights=self.core._moved_weights(move))
        return replace(moved, core=core)

    def _moved_weights(self, move: FactorAnalysis) -> dict[str, np.ndarray]:
        weights = self._weights()
        n_numeric, rank = self.architecture.n_numeric, move.rank
        loadings = weights["core.loadings"].copy()
        loadings[:, :rank] += move.loadings
        return weights | {
            "core.mean": weights["core.mean"] + move.mean,
            "core.loadings": loadings,
            "core.log_noise": weights["core.log_noise"] + move.noise,
            "decoder.log_noise": weights["decoder.log_noise"] + move.noise[:n_numeric],
        }

    def fill(self, rows: Rows, with_variance: bool = True) -> Filling:
        """Return the guesses of cells that are missing.

        Without their variance, which is then 0, it takes less time.
        """
        return self.fill_hidden(rows, with_variance)

    def fill_hidden(self, rows: Rows, with_variance: bool = True) -> Filling:
        """Return the guesses of this model, pooled with those of the core.

        Of cells that are not missing, but hidden from it.
        """
        answer = self._fill_block if with_variance else self._guess_block
        own = Filling(*self._by_blocks(answer, *rows))
        if self.core is None:
            return own
        core = self.core.fill(rows, with_variance)
        of_numbers, of_nominal = np.split(
            self.network_share, [self.architecture.n_numeric]
        )
        of_levels = of_nominal[self.layout.level_column]
        return Filling(
            pool_numbers(core.numbers, own.numbers, of_numbers),
            pool_numbers(core.variance, own.variance, of_numbers),
            pool_levels(core.log_levels, own.log_levels, of_levels),
        )

    def latents(self, rows: Rows) -> np.ndarray:
        """Return the mean of the latents given each row's observed cells.

        Those of several networks stand side by side, (n_rows, n_posteriors * n_latent).
        """
        return self._by_blocks(self._latent_block, *rows)[0]

    def latent_covariances(self, rows: Rows) -> np.ndarray:
        """Return the covariances of the latents, (n_rows, n_latent, n_latent).

        Of a model with one network.
        """
        return self._by_blocks(self._covariance_block, *rows)[0]

    def decode(self, latents: np.ndarray) -> Filling:
        """Return what the model says of every cell of rows with these latents.

        Parameters
        ----------
        latents : ndarray of shape (n_rows, n_posteriors * n_latent)
            As the means of `latents`.
        """
        return Filling(*self._by_blocks(self._decode_block, latents))

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
            intervals = no_intervals(len(rows.values))
        sizes = self.architecture
        draws = density_noise(sizes.n_latent)
        outputs = len(draws) * _BLOCK_ROWS * (sizes.n_numeric + sizes.n_levels)
        pieces = np.array_split(draws, min(len(draws), 1 + outputs // _MAX_OUTPUTS))

        def bound(weights, values, observed, low, high):
            noise = np.maximum(weights["decoder.log_noise"], log_noise_floor)
            weights = weights | {"decoder.log_noise": noise}
            some = Intervals(intervals.columns, low, high)
            rows = Rows(values, observed)
            importance = self._importance(weights)
            weighed = [importance.weighted_draws(rows, some, few)[1] for few in pieces]
            log_weights = np.concatenate(weighed).reshape(-1, len(values))
            # Draws of all networks count alike: those of a mixture.
            return (logsumexp(log_weights, axis=0) - np.log(len(log_weights)),)

        (density,) = self._by_blocks(bound, *rows, *intervals[1:])
        return np.where(rows.observed.any(axis=1), density, 0.0)

    def sample(self, n_rows: int, generator: np.random.Generator) -> Draws:
        """Draw new rows from the prior."""
        sizes = self.architecture
        latent = generator.standard_normal((n_rows, sizes.n_latent))
        network = np.zeros(n_rows, int)
        if sizes.is_mixture:
            network = generator.integers(sizes.n_networks, size=n_rows)
        if self.priors:
            of_networks = [prior.sample(n_rows, generator) for prior in self.priors]
            latent = np.array(of_networks)[network, np.arange(n_rows)]
        decoded = self._model().decode(self._weights(), self.layout, latent)
        decoded = self._side_by_side(decoded)
        if sizes.is_mixture:
            decoded = decoded[network, np.arange(n_rows)]
        numbers, log_levels = self._split(decoded)
        noise = generator.standard_normal(numbers.shape)
        gumbel = generator.gumbel(size=log_levels.shape)
        return self._observed(numbers, log_levels, noise, gumbel)

    def draw(self, rows: Rows, streams: RowStreams) -> Draws:
        """Draw all cells of each row given its observed ones.

        Sampling-importance-resampling (Rubin 1987; Mattei & Frellsen 2019, sec. 3.2):
        of some draws of z from the row's posterior, of each network, one is kept with a
        probability in proportion to its importance weight. Without networks, in a table
        of numbers, all weights are equal: the draw is exact.
        """
        decoded, _ = self._candidates(rows, streams, CANDIDATES_OF_NEW_ROWS)
        return self._observed(*decoded, *self._cell_noise(streams))

    def draw_around_guesses(self, rows: Rows, streams: RowStreams) -> Draws:
        """Draw all cells of each row so that the means of draws are those of `fill`.

        `draw` tells how cells scatter, and together; the guesses err less than its
        means (docs/experiments.md, trial 47). Without networks, in a table of numbers,
        both are the same.
        """
        (numbers, log_levels), centre = self._candidates(rows, streams, CANDIDATES)
        if not self._model().is_exact:
            filling = self.fill(rows)
            numbers = filling.numbers + (numbers - centre[0])
            log_levels = filling.log_levels + (log_levels - centre[1])
        return self._observed(numbers, log_levels, *self._cell_noise(streams))

    def normal_scores(self, rows: Rows, wanted, numbers) -> np.ndarray:
        """Return where numbers lie in what is predicted of them.

        Parameters
        ----------
        rows : Rows
        wanted : ndarray of shape (n_rows, n_numeric), bool
            Cells that are not observed in `rows`.
        numbers : ndarray of shape (n_rows, n_numeric)
            Standardised scores.

        Returns
        -------
        normal_scores : ndarray of shape (n_rows, n_numeric)
            Standard normal if the model is right; 0 where not wanted.
        """

        def answer(predictive, given):
            return predictive.normal_scores(given[:, 0])[:, None]

        return self._from_predictive(rows, wanted, answer, numbers[:, :, None])[..., 0]

    def numbers_at(self, rows: Rows, wanted, normal_scores) -> np.ndarray:
        """Return quantiles of what is predicted of wanted numbers.

        Parameters
        ----------
        rows, wanted
            As in `normal_scores`.
        normal_scores : ndarray of shape (n_quantiles, n_numeric)
            Which quantiles: 0 is the median.

        Returns
        -------
        numbers : ndarray of shape (n_quantiles, n_rows, n_numeric)
            Standardised scores; 0 where not wanted.
        """

        def answer(predictive, given):
            return np.column_stack([predictive.values_at(x) for x in given.T])

        given = np.broadcast_to(normal_scores.T, (*wanted.shape, len(normal_scores)))
        return np.moveaxis(self._from_predictive(rows, wanted, answer, given), -1, 0)

    def _from_predictive(self, rows, wanted, answer, given):
        filling = self.fill(rows)
        (answers,) = self._by_blocks(
            partial(self._predictive_block, answer),
            *rows,
            wanted,
            filling.numbers,
            filling.variance,
            given,
        )
        return answers

    def _candidates(self, rows, streams, count):
        """Return what one candidate of each row is decoded to, and their centre.

        Both are numbers and log-probabilities of levels.
        """
        answers = self._by_blocks(
            self._draw_block,
            *rows,
            streams.normal(count, self.architecture.n_latent),
            streams.uniform(count // 2),
            streams.gumbel(count * self.architecture.n_posteriors),
        )
        return answers[:2], answers[2:]

    def _fill_block(self, weights, values, observed):
        """Decode each row at the point that fills it best."""
        model, posterior = self._model(), self._posterior(weights, values, observed)
        decoded = model.decode(weights, self.layout, posterior.fill)
        return self._pooled(decoded, model.number_variance(weights, posterior))

    def _guess_block(self, weights, values, observed):
        """Decode each row at the same point, which needs no variances."""
        numbers, log_levels = self._model().reconstruct(
            weights, self.layout, Rows(values, observed)
        )
        return numbers, np.zeros(numbers.shape), log_levels

    def _latent_block(self, weights, values, observed):
        return (_side_by_side(self._posterior(weights, values, observed).mean),)

    def _covariance_block(self, weights, values, observed):
        posterior = self._posterior(weights, values, observed)
        scale = np.exp(posterior.log_scale)
        return (scale[:, :, None] * posterior.covariance * scale[:, None, :],)

    def _posterior(self, weights, values, observed) -> Posterior:
        return self._importance(weights).posterior(Rows(values, observed))

    def _importance(self, weights) -> Importance:
        return Importance(self._model(), weights, self.layout, self.priors)

    def _decode_block(self, weights, latents):
        model, sizes = self._model(), self.architecture
        if sizes.is_bottleneck:
            latents = latents @ model.expansion(weights)
        if sizes.is_mixture:
            shape = (len(latents), sizes.n_networks, sizes.n_latent)
            latents = latents.reshape(shape).swapaxes(0, 1)
        decoded = model.decode(weights, self.layout, latents)
        noise = np.exp(weights["decoder.log_noise"])
        return self._pooled(decoded, np.broadcast_to(noise, decoded.numbers.shape))

    def _pooled(self, decoded: Decoded, variance):
        """Return the answers of all networks as one: those of an equal mixture."""
        model = self._model()
        if self.architecture.is_mixture:  # the law of total variance
            variance = variance.mean(axis=0) + decoded.numbers.var(axis=0)
        log_levels = model.log_levels(self.layout, decoded)
        numbers, log_levels = model.pool(decoded.numbers, log_levels)
        return numbers, variance, log_levels

    def _draw_block(self, weights, values, observed, noise, uniform, choice):
        """Decode one of each row's candidates; also return the candidates' centre."""
        candidates, log_weights = self._decoded_candidates(
            weights, Rows(values, observed), noise.swapaxes(0, 1), uniform.T
        )
        # The largest of log-weights plus Gumbel noise is a categorical draw.
        best = np.argmax(log_weights + choice.T, axis=0)
        numbers, log_levels = self._split(candidates[best, np.arange(len(values))])
        share = shares_in_centre(log_weights)
        centre, _ = self._split(np.einsum("cn,cnv->nv", share, candidates))
        likely = np.exp(self._split(candidates)[1])
        log_mean = np.log(np.einsum("cn,cnl->nl", share, likely))
        return numbers, log_levels, centre, log_mean

    def _decoded_candidates(self, weights, rows, noises, uniform):
        """Return what candidates are decoded to, of all networks one after the other.

        Returns
        -------
        candidates : ndarray of shape (n_candidates, n_rows, n_numeric + n_levels)
        log_weights : ndarray of shape (n_candidates, n_rows)
        """
        draws, log_weights = self._importance(weights).weighted_candidates(
            rows, noises, uniform
        )
        candidates = self._side_by_side(draws)
        n_rows, n_outputs = candidates.shape[-2:]
        log_weights = log_weights.reshape(-1, n_rows)
        return candidates.reshape(len(log_weights), n_rows, n_outputs), log_weights

    def _predictive_block(
        self, answer, weights, values, observed, wanted, guesses, variance, given
    ):
        """Return answers from what is predicted of each wanted number."""
        row, column = np.nonzero(wanted)
        means, log_shares, spread = guesses[None], np.zeros((1, len(values))), variance
        if self.architecture.hidden_layer_sizes:
            scatter, log_shares = self._scatter(weights, Rows(values, observed))
            spread = np.broadcast_to(np.exp(weights["decoder.log_noise"]), wanted.shape)
            means = guesses + scatter
        predictive = Predictive(
            means[:, row, column].T, log_shares[:, row].T, np.sqrt(spread[row, column])
        )
        answers = np.zeros(given.shape)
        answers[row, column] = answer(predictive, given[row, column])
        return (answers,)

    def _scatter(self, weights, rows):
        """Return how candidates' numbers scatter, and the logarithms of their shares.

        All rows get the same noise, so that a row's answer follows from its cells.
        """
        noise, uniform = candidate_noise(self.architecture.n_latent)
        n_rows, n_numeric = len(rows.values), self.architecture.n_numeric
        candidates, log_weights = self._decoded_candidates(
            weights, rows, noise.repeat(n_rows, axis=1), uniform.repeat(n_rows, axis=1)
        )
        numbers, share = candidates[..., :n_numeric], shares_in_centre(log_weights)
        scatter = numbers - np.einsum("cn,cnv->nv", share, numbers)
        return scatter, log_softmax(log_weights, axis=0)

    def _side_by_side(self, decoded: Decoded):
        """Return means of numbers and log-probabilities of levels as one array."""
        log_levels = self._model().log_levels(self.layout, decoded)
        return np.concatenate([decoded.numbers, log_levels], axis=-1)

    def _split(self, decoded):
        return np.split(decoded, [self.architecture.n_numeric], axis=-1)

    def _cell_noise(self, streams: RowStreams):
        sizes = self.architecture
        return streams.normal(sizes.n_numeric), streams.gumbel(sizes.n_levels)

    def _observed(self, numbers, log_levels, noise, gumbel) -> Draws:
        """Add the decoder's noise to means, and Gumbel noise to log-probabilities."""
        spread = np.exp(0.5 * self._weights()["decoder.log_noise"])
        return Draws(numbers + spread * noise, log_levels + gumbel)

    def _by_blocks(self, function: Callable, *arrays: np.ndarray) -> list[np.ndarray]:
        """Apply a function of weights and rows to blocks; join what arrays it returns.

        The last block, and that of an empty table, is padded to the fixed size.
        """
        weights, n_rows, parts = self._weights(), len(arrays[0]), []
        with one_blas_thread:
            for start in range(0, max(n_rows, 1), _BLOCK_ROWS):
                block = slice(start, min(start + _BLOCK_ROWS, n_rows))
                answers = function(weights, *(_padded(x, block) for x in arrays))
                parts.append([array[: block.stop - start] for array in answers])
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _model(self) -> VAE:
        return VAE(self.architecture, _numpy_ops)

    def _weights(self) -> dict[str, np.ndarray]:
        """Return the core in double precision; networks err more than they round."""
        return {
            name: w if name.endswith(("kernel", "bias")) else w.astype(np.float64)
            for name, w in self.weights.items()
        }


def _padded(array: np.ndarray, block: slice) -> np.ndarray:
    """Return a block of rows in double precision, with zeros up to the fixed size."""
    rows = array[block]
    rows = rows if rows.dtype == bool else rows.astype(np.float64)
    missing = _BLOCK_ROWS - len(rows)
    if not missing:
        return rows
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])


def _side_by_side(latents: np.ndarray) -> np.ndarray:
    """Return latents of networks, (n_networks, n_rows, n_latent), as one row each."""
    if latents.ndim == 2:
        return latents
    return latents.swapaxes(0, 1).reshape(latents.shape[1], -1)
