"""The NumPy namespace computes what ``keras.ops`` computes."""

import re
from pathlib import Path

import numpy as np
import pytest

from vaeimpute import _numpy_ops

PACKAGE = Path(_numpy_ops.__file__).parent

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(5, 4))
POSITIVE = RNG.uniform(1e-3, 1e3, size=(5, 4))
STACK = RNG.normal(size=(6, 3, 3))
POSITIVE_DEFINITE = STACK @ STACK.transpose(0, 2, 1) + np.eye(3)
LOWER = np.linalg.cholesky(POSITIVE_DEFINITE)
# From the flat ends of the activations to their bend.
STEEP = np.concatenate([[-100.0, 100.0, 0.0], np.linspace(-10, 10, 41)])

CASES = {
    "broadcast_to": [(TABLE, (2, 5, 4))],
    "cast": [(TABLE, "float32"), (TABLE > 0, "float32")],
    "cholesky": [(POSITIVE_DEFINITE,)],
    "clip": [(TABLE, -0.5, 0.5)],
    "concatenate": [([TABLE, POSITIVE], 0), ([TABLE, POSITIVE], 1)],
    "convert_to_tensor": [(TABLE, "float32")],
    "diagonal": [(STACK, 0, 1, 2), (TABLE,)],
    "equal": [(np.round(TABLE), np.round(TABLE[0]))],
    "exp": [(TABLE,)],
    "eye": [(3,)],
    "gelu": [(STEEP,)],
    "inv": [(POSITIVE_DEFINITE,)],
    "log": [(POSITIVE,)],
    "matmul": [(TABLE, TABLE.T), (STACK, STACK), (STACK, TABLE[:3, :1])],
    "maximum": [(TABLE, 0.25), (TABLE, POSITIVE)],
    "mean": [(TABLE,), (TABLE, 0)],
    "ones_like": [(TABLE,)],
    "relu": [(STEEP,)],
    "reshape": [(TABLE, (-1, 10))],
    "shape": [(TABLE,), (STACK,)],
    "silu": [(STEEP,)],
    "softplus": [(STEEP,)],
    "solve": [(POSITIVE_DEFINITE, STACK)],
    "solve_triangular": [(LOWER, STACK, True)],
    "split": [(TABLE, 2, 1)],
    "sqrt": [(np.abs(TABLE),)],
    "square": [(TABLE,)],
    "stack": [((TABLE, TABLE + 1),)],
    "stop_gradient": [(TABLE,)],
    "sum": [(TABLE,), (TABLE, 1), (STACK, 2)],
    "take": [(TABLE, np.array([2, 0, 2]), 1), (TABLE, np.array([1]), 0)],
    "tanh": [(STEEP,)],
    "transpose": [(TABLE,), (STACK, (0, 2, 1))],
    "where": [(TABLE > 0, TABLE, 0.0)],
}


def single(argument):
    """Return arrays of numbers in single precision, other arguments as they are."""
    if isinstance(argument, list):
        return [single(array) for array in argument]
    if isinstance(argument, np.ndarray) and argument.dtype.kind == "f":
        return argument.astype(np.float32)
    return argument


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_keras(name):
    from keras import ops

    for arguments in CASES[name]:
        arguments = [single(argument) for argument in arguments]
        ours = getattr(_numpy_ops, name)(*arguments)
        theirs = np.asarray(getattr(ops, name)(*arguments))
        assert np.shape(ours) == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


def test_holds_what_the_model_asks_for_and_no_more():
    names = ("_vae", "_latent_posterior", "_likelihoods")
    sources = [PACKAGE / f"{name}.py" for name in names]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    asked = set(re.findall(r"\bops\.([a-z]\w*)", text))
    asked |= {"silu", "gelu", "relu", "tanh", "stop_gradient"}  # by name or alias
    assert set(_numpy_ops.__all__) == asked
    assert set(CASES) == asked


def test_cast_keeps_double_precision():
    assert _numpy_ops.cast(TABLE, "float32").dtype == np.float64
    np.testing.assert_array_equal(_numpy_ops.cast(TABLE, "float32"), TABLE)


@pytest.mark.parametrize("name", ["gelu", "relu", "silu", "softplus", "tanh"])
def test_activations_at_their_ends(name):
    at_ends = getattr(_numpy_ops, name)(np.array([-1e4, -100.0, 0.0, 100.0, 1e4]))
    ends = {
        "gelu": [0, 0, 0, 100, 1e4],
        "relu": [0, 0, 0, 100, 1e4],
        "silu": [0, 0, 0, 100, 1e4],
        "softplus": [0, 0, np.log(2), 100, 1e4],
        "tanh": [-1, -1, 0, 1, 1],
    }
    np.testing.assert_allclose(at_ends, ends[name], rtol=1e-12, atol=1e-12)
