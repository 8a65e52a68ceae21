"""Distributions of one cell given the latent: densities for each kind of column.

Numbers are Gaussian on a scale of scores (`_scales`), discrete ones count with the
probability of an interval of scores. Nominal columns are categorical; the levels of
all of them lie side by side in one flat axis, so that columns with two and with two
hundred levels share one formula. `ops` is ``keras.ops`` or `_numpy_ops`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr

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


def pool_numbers(first, second, share):
    """Return the mean of two guesses, of which the second has this share."""
    return (1.0 - share) * first + share * second


def pool_levels(first, second, share):
    """Return the log of the mean of two probabilities, given by their logarithms."""
    with np.errstate(divide="ignore"):  # log 0: that one does not count
        return np.logaddexp(np.log1p(-share) + first, np.log(share) + second)


def shrink(estimates, variances, are_known, common, most=np.inf):
    """Draw estimates to a common value by as much as they may be off by chance.

    Empirical Bayes for estimates that are normal around values which are normal around
    the common one.

    Parameters
    ----------
    estimates, variances : ndarrays of shape (n,)
        With the sampling variance of each.
    are_known : ndarray of shape (n,), bool
        Estimates to trust at all; others become the common value.
    common : float
    most : float
        Largest variance of the true values.
    """
    spread = np.var(estimates[are_known]) if np.any(are_known) else 0.0
    chance = np.mean(variances, where=are_known) if spread else 0.0
    between = min(max(spread - chance, 0.0), most)
    trust = between / np.maximum(between + variances, 1e-12) * are_known
    return common + trust * (estimates - common)


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


def log_interval_probability(low, high, mean, spread):
    """Return log P(low < N(mean, spread^2) < high), also far out in the tails."""
    low, high = (low - mean) / spread, (high - mean) / spread
    # By symmetry the interval's nearer end is put below zero, where log_ndtr
    # keeps its digits.
    mirrored = low > 0
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    log_low, log_high = log_ndtr(low), log_ndtr(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = -np.expm1(np.where(np.isneginf(log_low), -np.inf, log_low - log_high))
        return np.where(share > 0, log_high + np.log(share), -np.inf)
