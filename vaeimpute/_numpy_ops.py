"""The part of ``keras.ops`` that the model speaks, in NumPy.

The model's formulas stand once, in `_vae`, and take the namespace to compute
in: ``keras.ops`` to train, this one to answer. Answers therefore need no
Keras, survive a fork and are the same on every backend. All is in double precision,
but networks whose weights are in single.
"""

from __future__ import annotations

import numpy as np
from numpy import (
    broadcast_to,
    clip,
    concatenate,
    equal,
    exp,
    eye,
    log,
    matmul,
    maximum,
    mean,
    ones_like,
    reshape,
    shape,
    split,
    sqrt,
    square,
    stack,
    sum,
    tanh,
    transpose,
    where,
)
from numpy.linalg import cholesky, inv, solve

__all__ = [
    "broadcast_to",
    "cast",
    "cholesky",
    "clip",
    "concatenate",
    "convert_to_tensor",
    "diagonal",
    "equal",
    "exp",
    "eye",
    "gelu",
    "inv",
    "log",
    "matmul",
    "maximum",
    "mean",
    "ones_like",
    "relu",
    "reshape",
    "shape",
    "silu",
    "softplus",
    "solve",
    "solve_triangular",
    "split",
    "sqrt",
    "square",
    "stack",
    "stop_gradient",
    "sum",
    "take",
    "tanh",
    "transpose",
    "where",
]


def cast(x, dtype):
    """Return `x` as double precision, whatever precision is named."""
    return np.asarray(x, dtype=np.float64)


def convert_to_tensor(x, dtype):
    """Return `x` in the precision that is named."""
    return np.asarray(x, dtype=dtype)


def diagonal(x, offset=0, axis1=0, axis2=1):
    """Return the diagonals over two axes."""
    return np.diagonal(x, offset, axis1, axis2)


def take(x, indices, axis):
    """Return the entries at `indices` along an axis."""
    return np.take(x, indices, axis=axis)


def stop_gradient(x):
    """Return `x`: there is no gradient to stop."""
    return x


def solve_triangular(a, b, lower=False):
    """Solve ``a x = b`` for batches of matrices, lower triangular ones alone.

    A general solver factorises what is triangular already: three times the work.
    """
    if not lower:
        raise NotImplementedError("solve_triangular: expected lower=True")
    x = np.empty(b.shape)
    for i in range(b.shape[-2]):
        known = np.matmul(a[:, i, None, :i], x[:, :i])[:, 0]
        x[:, i] = (b[:, i] - known) / a[:, i, i, None]
    return x


def softplus(x):
    """Return log(1 + exp(x)) without overflow."""
    return np.logaddexp(x, 0.0)


def relu(x):
    """Return max(x, 0)."""
    return np.maximum(x, 0.0)


def silu(x):
    """Return x times its logistic function, by way of tanh: no overflow."""
    return x * (0.5 + 0.5 * np.tanh(0.5 * x))


def gelu(x):
    """Return the Gaussian error linear unit in its tanh form, Keras' default."""
    return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
