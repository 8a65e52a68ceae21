"""Gaussian posteriors of the latents: draws, densities and divergences.

`ops` is ``keras.ops`` or `_numpy_ops`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Posterior(NamedTuple):
    """Gaussian q(z | x_c) with covariance ``D A^-1 D``, D = diag(exp(log_scale)).

    The core's exact posterior covariance ``A^-1``, each latent scaled by the
    network. With ``A = L L'``, ``whitening = L^-1`` whitens the core's posterior
    and its transpose turns white noise into draws. The matrices pass no gradient.
    `fill` is the point whose decoding predicts missing cells best; it is no part
    of q.
    """

    mean: Any  # (n_rows, n_latent)
    fill: Any  # (n_rows, n_latent)
    log_scale: Any  # (n_rows, n_latent)
    precision: Any  # (n_rows, n_latent, n_latent), A
    factor: Any  # (n_rows, n_latent, n_latent), L
    whitening: Any  # (n_rows, n_latent, n_latent), L^-1
    covariance: Any  # (n_rows, n_latent, n_latent), A^-1

    def rows(self, some: slice) -> Posterior:
        """Return the posterior of some rows."""
        vectors = (array[..., some, :] for array in self[:3])
        return Posterior(*vectors, *(array[some] for array in self[3:]))


def draw_latent(ops, posterior: Posterior, noise):
    """Return the reparameterised sample ``mean + D L'^-1 noise``."""
    core = matrix_times_vector(ops, transposed(ops, posterior.whitening), noise)
    return posterior.mean + ops.exp(posterior.log_scale) * core


def whiten_latent(ops, posterior: Posterior, latent):
    """Return the noise of which `draw_latent` would make this latent."""
    gap = (latent - posterior.mean) * ops.exp(-posterior.log_scale)
    return matrix_times_vector(ops, transposed(ops, posterior.factor), gap)


def kl_to_prior(ops, posterior: Posterior):
    """Return KL(q || N(0, I)) per row (Kingma & Welling 2014, appendix B)."""
    variance = diagonals(ops, posterior.covariance)
    trace = ops.sum(ops.exp(2.0 * posterior.log_scale) * variance, -1)
    square = ops.sum(ops.square(posterior.mean), -1)
    excess = trace + square - _n_latent(ops, posterior)
    return 0.5 * excess - _log_determinant(ops, posterior)


def kl_between(ops, first: Posterior, second: Posterior):
    """Return KL(first || second) per row, in closed form.

    With ``u = exp(first.log_scale - second.log_scale)`` the trace term
    ``tr(D2^-1 A2 D2^-1 D1 A1^-1 D1)`` is ``u' (A2 * A1^-1) u``, elementwise *.
    """
    ratio = ops.exp(first.log_scale - second.log_scale)
    trace = _quadratic(ops, second.precision * first.covariance, ratio)
    gap = (first.mean - second.mean) * ops.exp(-second.log_scale)
    square = _quadratic(ops, second.precision, gap)
    determinants = _log_determinant(ops, second) - _log_determinant(ops, first)
    return 0.5 * (trace + square - _n_latent(ops, first)) + determinants


def latent_log_density(ops, posterior: Posterior, noise):
    """Return log q(z) at the draw that `draw_latent` makes of the noise, per row."""
    constant = noise.shape[-1] * math.log(2 * math.pi)
    normal = -0.5 * (constant + ops.sum(ops.square(noise), -1))
    return normal - _log_determinant(ops, posterior)


def _n_latent(ops, posterior: Posterior):
    return ops.cast(ops.shape(posterior.mean)[-1], "float32")


def _log_determinant(ops, posterior: Posterior):
    """Return half the log-determinant of the covariance, ``log |D L'^-1|``."""
    of_factor = diagonals(ops, posterior.factor)
    return ops.sum(posterior.log_scale - ops.log(of_factor), -1)


def diagonals(ops, matrices):
    """Return the diagonal of each row's matrix."""
    return ops.diagonal(matrices, axis1=1, axis2=2)


def transposed(ops, matrices):
    """Return the transpose of each row's matrix."""
    return ops.transpose(matrices, (0, 2, 1))


def matrix_times_vector(ops, matrices, vectors):
    """Multiply each row's vector by its matrix."""
    return ops.matmul(matrices, vectors[..., None])[..., 0]


def _quadratic(ops, matrices, vectors):
    """Return v' M v for each row and symmetric matrices that pass no gradient.

    Its gradient 2 M v is what comes of holding M v fixed in 2 v' M v: the product
    with the matrices is not repeated on the way back.
    """
    stop = ops.stop_gradient
    image = stop(matrix_times_vector(ops, matrices, vectors))
    return ops.sum((2.0 * vectors - stop(vectors)) * image, -1)
