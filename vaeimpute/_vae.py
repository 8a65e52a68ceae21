"""The variational autoencoder: encoder, decoder and loss, as pure functions.

Symbols (docs/theory.md ties each to its formula)
    x  encoded row           o  its observed cells     c  the cells shown of o
    z  latent                W  core loadings          b  core mean
    psi  core noise          A = I + W' Psi_c^-1 W     posterior precision of z

Everything is a function of weights and data in a namespace `ops`, which is
``keras.ops`` in training (any backend differentiates it) and `_numpy_ops` for
answers. Nothing here holds state, draws random numbers or knows a table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vaeimpute._encoding import BINS_IF_NARROW, Layout, Rows
from vaeimpute._latent_posterior import (
    Posterior,
    diagonals,
    draw_latent,
    kl_between,
    kl_to_prior,
    matrix_times_vector,
    transposed,
)
from vaeimpute._likelihoods import (
    gaussian_log_density,
    level_log_probabilities,
    linear_logits,
)

#: What the hidden-cell term weighs beside the evidence bound: 8 times half the
#: squared error of a standardised cell, 4 times the log-loss of a nominal one.
_HIDDEN_NUMBER_WEIGHT = 32.0
_HIDDEN_LEVEL_WEIGHT = 16.0

#: What of it is left in a bottleneck, where it moves the latents and their decoder: so
#: much that rows are rebuilt, so little that the latents keep their distribution.
_BOTTLENECK_SHARE = 1 / 32

#: Largest input of the encoder network, in standard deviations.
_FEATURE_BOUND = 6.0

#: The networks may widen or narrow the core's posterior by e^2 at most.
_LOG_SCALE_BOUND = 2.0

#: Outputs of the encoder network, in the order in which they are computed.
_HEADS = ("encoder.mean", "encoder.log_scale", "encoder.fill")

#: A unit of the encoder's output moves the posterior by this many of its standard
#: deviations at most. The bound curves with their inverse square: without a limit,
#: near-exact columns (deviations of .02) make a usual learning rate diverge.
_LARGEST_REACH = 5.0

#: Information of a complete row on a latent, in units of the prior's, below which the
#: latent is not expanded any further.
_LEAST_INFORMATION = 0.01


@dataclass(frozen=True)
class Architecture:
    """Sizes of the model.

    While a program is traced for tables of any size, sizes are scalar tensors;
    the size of a kind that the table lacks is always the number 0.

    Attributes
    ----------
    n_numeric, n_nominal : int
        Columns of either kind; rows hold numeric columns first.
    n_scores, n_levels : int
        Core values and levels of all nominal columns together.
    n_latent : int
    hidden_layer_sizes : tuple of int
        Units inside each residual block, in encoder and decoder alike; the
        first entry is also the width of the stream that blocks add to.
    activation : {"silu", "gelu", "relu", "tanh"}
    n_bins : int
        Pieces of the piecewise-linear encoding of an observed number.
    n_networks : int
        Pairs of encoder and decoder networks around the one core. If there are
        several, their weights, and all that depends on them, have one more axis in
        front, and answers are those of an equal mixture. Weights may also be a tuple
        with an array for each network.
    """

    n_numeric: int
    n_nominal: int
    n_scores: int
    n_levels: int
    n_latent: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str = "silu"
    n_bins: int = BINS_IF_NARROW
    n_networks: int = 1
    is_bottleneck: bool = False

    @property
    def is_mixture(self) -> bool:
        """Whether what depends on networks has an axis of networks."""
        return self.n_networks > 1 and bool(self.hidden_layer_sizes)

    @property
    def n_posteriors(self) -> int:
        """How many posteriors a row has: one for each network, and one without any."""
        return self.n_networks if self.is_mixture else 1

    @property
    def has_numeric(self) -> bool:
        """Whether there are numeric columns."""
        return not (isinstance(self.n_numeric, int) and self.n_numeric == 0)

    @property
    def has_nominal(self) -> bool:
        """Whether there are nominal columns."""
        return not (isinstance(self.n_nominal, int) and self.n_nominal == 0)

    @property
    def n_columns(self) -> int:
        """Numeric and nominal columns."""
        return self.n_numeric + self.n_nominal

    @property
    def n_values(self) -> int:
        """Values of the core: numbers and nominal scores."""
        return self.n_numeric + self.n_scores

    @property
    def n_features(self) -> int:
        """Inputs of the encoder network."""
        bins = self.n_numeric * self.n_bins
        return 2 * self.n_values + self.n_columns + self.n_latent + bins

    @property
    def heads(self) -> tuple[str, ...]:
        """Outputs of the encoder network."""
        return _HEADS[:2] if self.is_bottleneck else _HEADS

    def is_for_each(self, weight: str) -> bool:
        """Whether each of several networks has a weight of this name."""
        return self.is_mixture and weight.endswith(("kernel", "bias"))

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every weight, in their fixed order."""
        d, values = self.n_latent, self.n_values
        shapes: dict[str, tuple[int, ...]] = {
            "core.mean": (values,),
            "core.loadings": (values, d),
            "core.log_noise": (values,),
            "decoder.log_noise": (self.n_numeric,),
        }
        if not self.hidden_layer_sizes:
            return shapes
        width = self.hidden_layer_sizes[0]
        outputs = self.n_numeric + self.n_levels
        networks = self._tower_shapes("encoder", self.n_features)
        for head in self.heads:
            networks |= _dense_shapes(head, width, d)
        networks |= self._tower_shapes("decoder", d)
        networks |= _dense_shapes("decoder.output", width, outputs)
        if self.is_mixture:
            networks = {x: (self.n_networks, *y) for x, y in networks.items()}
        return shapes | networks

    def _tower_shapes(self, name: str, n_inputs: int) -> dict[str, tuple[int, ...]]:
        width = self.hidden_layer_sizes[0]
        shapes = _dense_shapes(f"{name}.input", n_inputs, width)
        for i, units in enumerate(self.hidden_layer_sizes):
            shapes |= _dense_shapes(f"{name}.block{i}.up", width, units)
            shapes |= _dense_shapes(f"{name}.block{i}.down", units, width)
        return shapes


class Cells(NamedTuple):
    """Rows as the core sees them: unobserved cells are zero."""

    values: Any  # (n_rows, n_values)
    present: Any  # (n_rows, n_values), 1 where observed
    observed: Any  # (n_rows, n_columns), 1 where observed
    indicators: Any  # (n_rows, n_levels), 1 at the level of an observed cell


class Decoded(NamedTuple):
    """Parameters of p(x | z)."""

    numbers: Any  # (n_rows, n_numeric), means
    logits: Any  # (n_rows, n_levels)


class VAE:
    """The model's formulas for one architecture in one namespace.

    Parameters
    ----------
    architecture : Architecture
    ops : module
        ``keras.ops`` or `_numpy_ops`.
    affine : callable, optional
        How the networks compute ``inputs kernel + bias``; as `ops` does by default.
    """

    def __init__(self, architecture: Architecture, ops, affine=None):
        self.architecture = architecture
        self.ops = ops
        self._affine = affine or (lambda x, kernel, bias: ops.matmul(x, kernel) + bias)
        self._activation = getattr(ops, architecture.activation)

    @property
    def is_exact(self) -> bool:
        """Whether q(z | x) is the posterior itself, as it is of factor analysis."""
        sizes = self.architecture
        return not sizes.hidden_layer_sizes and not sizes.has_nominal

    def cells(self, layout: Layout, values, observed) -> Cells:
        """Expand encoded rows: numbers stay as they are, codes become scores.

        `values` may hold anything finite in unobserved cells.
        """
        ops, n_numeric = self.ops, self.architecture.n_numeric
        observed = ops.cast(observed, "float32")
        values = values * observed
        if not self.architecture.has_nominal:
            return Cells(values, observed, observed, values[:, :0])
        numbers, known = values[:, :n_numeric], observed[:, :n_numeric]
        codes, nominal = values[:, n_numeric:], observed[:, n_numeric:]
        same = ops.equal(
            ops.take(codes, layout.level_column, axis=1), layout.level_code
        )
        known_levels = ops.take(nominal, layout.level_column, axis=1)
        indicators = ops.cast(same, "float32") * known_levels
        return Cells(
            ops.concatenate([numbers, ops.matmul(indicators, layout.contrast)], 1),
            ops.concatenate([known, ops.matmul(nominal, layout.score_membership)], 1),
            observed,
            indicators,
        )

    def encode(self, weights, layout: Layout, cells: Cells) -> Posterior:
        """Return q(z | the observed cells): the core's exact posterior, corrected.

        The core's part solves ``A z = W' Psi^-1 (x - b)`` by a Cholesky factor;
        without networks it is the whole answer.
        """
        ops = self.ops
        mean, matrices = self._core_posterior(weights, cells)
        log_scale, fill = mean * 0.0, mean
        if self.architecture.hidden_layer_sizes:
            features = self._features(weights, layout, cells, mean)
            shift, raw, *correction = self._encoder_outputs(weights, features)
            if correction:
                # A head of its own: what sharpens fillings must not move or narrow q.
                fill = ops.stop_gradient(mean) + correction[0]
            mean = mean + _reach(ops, matrices[-1]) * shift
            log_scale = _LOG_SCALE_BOUND * ops.tanh(raw / _LOG_SCALE_BOUND)
        if self.architecture.is_bottleneck:
            fill = ops.matmul(mean, self.expansion(weights))
        return Posterior(mean, fill, log_scale, *matrices)

    def expansion(self, weights):
        """Return what turns the posterior's mean into the point to be decoded.

        The mean given a complete row is the least-squares point drawn to zero by the
        prior: ``(I + G)^-1 G u`` with ``G = W' Psi^-1 W``. With equal noise, ``u`` is
        the projection of principal component analysis. (n_latent, n_latent)
        """
        ops, stop = self.ops, self.ops.stop_gradient
        loadings = stop(weights["core.loadings"])
        scaled = loadings * stop(ops.exp(-weights["core.log_noise"]))[:, None]
        gram = ops.matmul(ops.transpose(scaled), loadings)
        identity = ops.eye(self.architecture.n_latent, dtype=gram.dtype)
        return identity + ops.inv(gram + _LEAST_INFORMATION * identity)

    def decode(self, weights, layout: Layout, latent) -> Decoded:
        """Return the parameters of p(x | z) for latents (n_rows, n_latent)."""
        ops, n_numeric = self.ops, self.architecture.n_numeric
        linear = weights["core.mean"] + ops.matmul(
            latent, ops.transpose(weights["core.loadings"])
        )
        numbers, logits = linear[..., :n_numeric], linear[..., n_numeric:]
        if self.architecture.has_nominal:
            lift = 1.0 + ops.matmul(logits, ops.transpose(layout.contrast))
            logits = linear_logits(ops, layout.log_share, lift)
        if self.architecture.hidden_layer_sizes:
            residual = self._decoder_output(weights, latent)
            numbers = numbers + residual[..., :n_numeric]
            logits = logits + residual[..., n_numeric:]
        return Decoded(numbers, logits)

    def reconstruct(self, weights, layout: Layout, rows: Rows):
        """Return numbers and log-probabilities of levels that fill missing cells."""
        cells = self.cells(layout, rows.values, rows.observed)
        if self.architecture.is_bottleneck:
            point = self.encode(weights, layout, cells).fill
        else:
            point = self._fill_point(weights, layout, cells)
        decoded = self.decode(weights, layout, point)
        return self.pool(decoded.numbers, self.log_levels(layout, decoded))

    def pool(self, numbers, log_levels):
        """Return the mean of all networks' numbers, and of their probabilities."""
        if not self.architecture.is_mixture:
            return numbers, log_levels
        ops = self.ops
        return ops.mean(numbers, 0), ops.log(ops.mean(ops.exp(log_levels), 0))

    def number_variance(self, weights, posterior: Posterior):
        """Return the variance of every number given the shown cells.

        The latent's spread goes through the core alone, ``W D A^-1 D W'``: what
        the decoder's network bends is left out.
        """
        ops, n_numeric = self.ops, self.architecture.n_numeric
        scale = ops.exp(posterior.log_scale)[..., None, :]
        loadings = weights["core.loadings"][:n_numeric] * scale
        latent = ops.sum(ops.matmul(loadings, posterior.covariance) * loadings, -1)
        return latent + ops.exp(weights["decoder.log_noise"])

    def log_likelihood(self, weights, layout: Layout, cells: Cells, decoded: Decoded):
        """Return log p(x_j | z) per cell, (n_rows, n_columns); 0 where unobserved."""
        ops, n_numeric = self.ops, self.architecture.n_numeric
        known = cells.observed[:, :n_numeric]
        density = gaussian_log_density(
            ops,
            cells.values[:, :n_numeric],
            decoded.numbers,
            weights["decoder.log_noise"],
        )
        density = ops.where(known > 0, density, 0.0)
        if not self.architecture.has_nominal:
            return density
        log_levels = self.log_levels(layout, decoded)
        levels = ops.matmul(cells.indicators * log_levels, layout.membership)
        return ops.concatenate([density, levels], -1)

    def log_levels(self, layout: Layout, decoded: Decoded):
        """Return the log-probability of every level, (n_rows, n_levels)."""
        if not self.architecture.has_nominal:
            return decoded.logits
        return level_log_probabilities(self.ops, decoded.logits, layout.membership)

    def loss(self, weights, layout: Layout, batch: Batch, beta):
        """Return the mean training loss of a batch, in nats per column.

        Bound of the observed cells under their own posterior, plus posterior
        matching, plus the hidden-cell term (docs/theory.md, "The loss"). The first two
        are of the rows that there is noise for.
        """
        ops, stop = self.ops, self.ops.stop_gradient
        n_rows, n_bounded = ops.shape(batch.values)[0], ops.shape(batch.noise)[0]
        observed = ops.cast(batch.observed, "float32")
        is_shown = ops.cast(batch.hide >= batch.rate, "float32")
        cells = self.cells(layout, batch.values, observed)
        shown = self.cells(layout, batch.values, observed * is_shown)
        bounded = Cells(*(array[:n_bounded] for array in cells))
        both = (ops.concatenate(pair, 0) for pair in zip(shown, bounded, strict=True))
        posterior = self.encode(weights, layout, Cells(*both))
        of_observed = posterior.rows(slice(n_rows, None))

        latent = draw_latent(ops, of_observed, batch.noise)
        decoded = self.decode(weights, layout, latent)
        evidence = ops.sum(self.log_likelihood(weights, layout, bounded, decoded), -1)
        bound = evidence - beta * kl_to_prior(ops, of_observed)
        matching = kl_between(
            ops,
            Posterior(*(stop(array) for array in of_observed)),
            posterior.rows(slice(0, n_bounded)),
        )
        decoder = weights
        if not self.architecture.is_bottleneck:
            decoder = self._constant(weights)
        filled = self.decode(decoder, layout, posterior.fill[..., :n_rows, :])
        hidden = self._hidden_cell_loss(layout, cells, filled)
        n_columns = ops.cast(self.architecture.n_columns, "float32")
        return (ops.mean(matching - bound) + ops.mean(hidden)) / n_columns

    def _constant(self, weights):
        """Return what decodes, with no gradient to it."""
        stop = self.ops.stop_gradient
        return {
            name: tuple(map(stop, x)) if isinstance(x, tuple) else stop(x)
            for name, x in weights.items()
            if not name.startswith("encoder")
        }

    def _hidden_cell_loss(self, layout, cells, filled):
        """Return the weighted error of every observed cell, per row."""
        ops, n_numeric = self.ops, self.architecture.n_numeric
        weight = _BOTTLENECK_SHARE if self.architecture.is_bottleneck else 1.0
        error = ops.square(cells.values[:, :n_numeric] - filled.numbers)
        squares = ops.sum(error * cells.observed[:, :n_numeric], -1)
        squares = weight * _HIDDEN_NUMBER_WEIGHT * squares
        if not self.architecture.has_nominal:
            return squares
        log_levels = self.log_levels(layout, filled)
        log_loss = -ops.sum(cells.indicators * log_levels, -1)
        return squares + weight * _HIDDEN_LEVEL_WEIGHT * log_loss

    def _fill_point(self, weights, layout: Layout, cells: Cells):
        """Return what `encode` says of `fill`, without how wide the posterior is."""
        _, projected, precision = self._core_system(weights, cells)
        mean = self.ops.solve(precision, projected[..., None])[..., 0]
        if not self.architecture.hidden_layer_sizes:
            return mean
        features = self._features(weights, layout, cells, mean)
        return mean + self._encoder_outputs(weights, features)[-1]

    def _core_system(self, weights, cells: Cells):
        """Return the noise's precision, r = W' Psi^-1 (x - b) and A, with A z = r.

        No gradient passes through A.
        """
        ops, stop = self.ops, self.ops.stop_gradient
        d, loadings = self.architecture.n_latent, weights["core.loadings"]
        noise_precision = cells.present * ops.exp(-weights["core.log_noise"])
        centred = cells.values - weights["core.mean"]
        projected = ops.matmul(centred * noise_precision, loadings)
        outer = stop(loadings[:, :, None] * loadings[:, None, :])
        # The identity is one more value, seen in every row with a noise of one.
        terms = ops.concatenate([outer, ops.eye(d, dtype=outer.dtype)[None]], 0)
        one = ops.ones_like(noise_precision[:, :1])
        seen = ops.concatenate([stop(noise_precision), one], 1)
        gram = ops.matmul(seen, ops.reshape(terms, (-1, d * d)))
        return noise_precision, projected, ops.reshape(gram, (-1, d, d))

    def _core_posterior(self, weights, cells: Cells):
        """Return the mean of the core's posterior, and A, L, L^-1 and A^-1.

        The matrices are computed outside the gradient. The mean gets its exact
        gradient all the same, from one refinement step around the solution z*
        held fixed: z* + A^-1 (r - A z*) differentiates to A^-1 (dr - dA z*).
        That the covariance passes no gradient to the core costs nothing where
        q is optimal: there the bound is flat in q (envelope theorem).
        """
        ops, stop = self.ops, self.ops.stop_gradient
        loadings = weights["core.loadings"]
        noise_precision, projected, precision = self._core_system(weights, cells)
        factor = ops.cholesky(precision)
        identity = ops.eye(self.architecture.n_latent, dtype=factor.dtype)
        right = ops.broadcast_to(identity, ops.shape(factor))
        whitening = ops.solve_triangular(factor, right, lower=True)
        covariance = ops.matmul(transposed(ops, whitening), whitening)
        start = matrix_times_vector(ops, covariance, stop(projected))
        image = ops.matmul(start, ops.transpose(loadings)) * noise_precision
        residual = projected - start - ops.matmul(image, loadings)
        mean = start + matrix_times_vector(ops, covariance, residual)
        return mean, (precision, factor, whitening, covariance)

    def _features(self, weights, layout, cells: Cells, core_latent):
        """Return the inputs of the encoder network, (n_rows, n_features)."""
        ops = self.ops
        loadings, mean = weights["core.loadings"], weights["core.mean"]
        fill = ops.matmul(core_latent, ops.transpose(loadings))
        centred = (cells.values - mean) * cells.present
        fill = ops.where(cells.present > 0, centred, fill)
        # The core learns from the bound alone, not by what suits the network; an
        # outlier moves the core in proportion, and the network sees it bounded.
        linear = ops.stop_gradient(ops.concatenate([centred, fill, core_latent], 1))
        linear = ops.clip(linear, -_FEATURE_BOUND, _FEATURE_BOUND)
        features = [linear, cells.observed]
        if self.architecture.has_numeric:
            features.append(self._bins(layout, cells))
        return ops.concatenate(features, 1)

    def _bins(self, layout, cells: Cells):
        """Return the piecewise-linear encoding of numbers, zero where unobserved.

        Gorishniy et al. (2022), eq. 1: 1 in the bins below the number, its
        position inside its own bin, 0 above.
        """
        ops, n_numeric = self.ops, self.architecture.n_numeric
        numbers, known = cells.values[:, :n_numeric], cells.present[:, :n_numeric]
        low, high = layout.edges[:, :-1], layout.edges[:, 1:]
        # A number at the lowest edge is zero in every bin.
        numbers = ops.where(known > 0, numbers, low[:, 0])
        along = (numbers[:, :, None] - low) * (1.0 / (high - low))
        size = n_numeric * self.architecture.n_bins
        return ops.reshape(ops.clip(along, 0.0, 1.0), (-1, size))

    def _tower(self, weights, name: str, inputs):
        """Return the residual network's last hidden layer, (n_rows, width)."""
        kernel = weights[f"{name}.input.kernel"]
        inputs = self.ops.convert_to_tensor(inputs, kernel.dtype)
        hidden = self._dense(weights, f"{name}.input", inputs)
        for i in range(len(self.architecture.hidden_layer_sizes)):
            block = f"{name}.block{i}"
            inner = self._activation(self._dense(weights, f"{block}.up", hidden))
            hidden = hidden + self._dense(weights, f"{block}.down", inner)
        return hidden

    def _encoder_outputs(self, weights, features):
        """Return what the encoder says to mean, log-scale and fill."""
        outputs = [
            self._heads(network, self._tower(network, "encoder", features))
            for network in self._networks(weights)
        ]
        return self.ops.split(self._joined(outputs), len(self.architecture.heads), -1)

    def _decoder_output(self, weights, latent):
        """Return what the decoder adds to numbers and logits, side by side."""
        networks, outputs = self._networks(weights), []
        for k, network in enumerate(networks):
            # Each network has its own latents, but for draws from the prior.
            own = latent[k] if len(latent.shape) == 3 else latent
            hidden = self._tower(network, "decoder", own)
            outputs.append(self._dense(network, "decoder.output", hidden))
        return self._joined(outputs)

    def _networks(self, weights) -> list[dict[str, Any]]:
        """Return the weights of each pair of encoder and decoder.

        Networks take turns: batched products would do, but oneDNN keeps megabytes for
        every shape of them that it has seen.
        """
        if not self.architecture.is_mixture:
            return [weights]
        of_each = {x: y for x, y in weights.items() if self.architecture.is_for_each(x)}
        return [
            {name: weight[k] for name, weight in of_each.items()}
            for k in range(self.architecture.n_networks)
        ]

    def _joined(self, outputs):
        """Return the outputs of all networks as one array."""
        return self.ops.stack(outputs) if len(outputs) > 1 else outputs[0]

    def _heads(self, weights, hidden):
        """Return the outputs of an encoder side by side."""
        ops = self.ops
        kernel, bias = (
            ops.concatenate(
                [weights[f"{name}.{part}"] for name in self.architecture.heads], -1
            )
            for part in ("kernel", "bias")
        )
        return self._affine(hidden, kernel, bias)

    def _dense(self, weights, name: str, inputs):
        kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
        return self._affine(inputs, kernel, bias)


class Batch(NamedTuple):
    """Rows of one training step with the randomness that the step uses."""

    values: Any  # (n_rows, n_columns)
    observed: Any  # (n_rows, n_columns)
    rate: Any  # (n_rows, 1), share of the observed cells to hide
    hide: Any  # (n_rows, n_columns), uniform: a cell is hidden where hide < rate
    noise: Any  # (n_bounded, n_latent), standard normal, for the first rows


def _reach(ops, covariance):
    """Return how far a unit of the encoder's output moves each latent.

    One where the core knows little, `_LARGEST_REACH` standard deviations where it
    knows much, (n_rows, n_latent).
    """
    variance = diagonals(ops, covariance)
    return 1.0 / ops.sqrt(1.0 + 1.0 / (_LARGEST_REACH**2 * variance))


def core_weights(core, architecture: Architecture) -> dict[str, np.ndarray]:
    """Return the weights of a fitted core; latents beyond its rank load on nothing."""
    loadings = np.zeros((len(core.mean), architecture.n_latent))
    loadings[:, : core.rank] = core.loadings
    log_noise = np.log(core.noise)
    weights = {
        "core.mean": core.mean,
        "core.loadings": loadings,
        "core.log_noise": log_noise,
        "decoder.log_noise": log_noise[: architecture.n_numeric],
    }
    return {name: weight.astype(np.float32) for name, weight in weights.items()}


def initial_weights(
    architecture: Architecture, core: dict[str, np.ndarray], generator
) -> dict[str, np.ndarray]:
    """Return starting weights: the core as fitted, networks that add zero.

    Parameters
    ----------
    architecture : Architecture
    core : dict of str to ndarray
        The weights named ``core.*`` and ``decoder.log_noise``.
    generator : numpy.random.Generator
    """
    weights = dict(core)
    for name, shape in architecture.weight_shapes().items():
        if name in weights:
            continue
        if name.endswith("bias") or _starts_at_zero(name):
            weights[name] = np.zeros(shape, np.float32)
        else:
            spread = _initial_gain(name) / math.sqrt(shape[-2])
            weights[name] = spread * generator.standard_normal(shape, np.float32)
    return weights


def _starts_at_zero(name: str) -> bool:
    last = ("encoder.mean", "encoder.log_scale", "encoder.fill", "decoder.output")
    return name.startswith(last)


def _initial_gain(name: str) -> float:
    """Return He's gain before an activation, a small one where a block ends."""
    if name.endswith("up.kernel"):
        return math.sqrt(2.0)
    return math.sqrt(0.1) if name.endswith("down.kernel") else 1.0


def _dense_shapes(name: str, n_inputs: int, n_outputs: int):
    return {f"{name}.kernel": (n_inputs, n_outputs), f"{name}.bias": (n_outputs,)}
