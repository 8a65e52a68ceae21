"""Distributions of one cell given the latent: densities for each kind of column.

Numeric columns are Gaussian with one noise variance per column; nominal ones
are categorical. The levels of all nominal columns lie side by side in one flat
axis, so that columns with two and with two hundred levels share one formula.
`ops` is the namespace to compute in: ``keras.ops`` or `_numpy_ops`.
"""

from __future__ import annotations

import math

LOG_2PI = math.log(2.0 * math.pi)

#: Logits are bent smoothly into +-30: exp() stays finite in single precision
#: whatever a column's level gets, and no column's largest logit is needed.
_LOGIT_BOUND = 30.0


def gaussian_log_density(ops, numbers, mean, log_variance):
    """Return log N(numbers; mean, exp(log_variance)), elementwise."""
    squared = ops.square(numbers - mean) * ops.exp(-log_variance)
    return -0.5 * (LOG_2PI + log_variance + squared)


def level_log_probabilities(ops, logits, membership):
    """Return log-softmax of each nominal column's own levels.

    Parameters
    ----------
    logits : array of shape (n_rows, n_levels)
    membership : array of shape (n_levels, n_nominal)
        One where the level belongs to the column.
    """
    bounded = _LOGIT_BOUND * ops.tanh(logits / _LOGIT_BOUND)
    totals = ops.matmul(ops.exp(bounded), membership)  # (n_rows, n_nominal)
    # A total underflows only where no level of the column is likely at all.
    log_totals = ops.log(ops.maximum(totals, 1e-30))
    return bounded - ops.matmul(log_totals, ops.transpose(membership))


def linear_logits(ops, log_share, lift):
    """Turn linear predictions of probabilities into logits with the same shares.

    Parameters
    ----------
    log_share : array of shape (n_levels,)
    lift : array of shape (n_rows, n_levels)
        Predicted probability of each level over its share. A linear prediction
        may leave [0, 1 / share]: softplus with a sharp corner at zero keeps the
        probability positive and still passes a gradient on.
    """
    sharpness = 10.0
    return log_share + ops.log(ops.softplus(sharpness * lift) / sharpness + 1e-9)
