"""What differs between Keras' backends: compiling, differentiating, placing.

`current` returns the backend that Keras runs on. All have the same few methods, so
that `_engine` is written once. Keras fixes its backend at its first import, from the
environment variable KERAS_BACKEND; nothing here chooses one.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from vaeimpute._notebook import without_start_up_noise


class Backend:
    """What all backends do alike, and what each has to do its own way.

    Attributes
    ----------
    name : str
    takes_any_size : bool
        Whether a compiled function serves arrays of any size, whose sizes must then
        arrive as arguments.
    arithmetic_errors : tuple of type
        What is raised where other backends go on with NaN.
    memory_errors : tuple of type
        What is raised where an array does not fit on a device.
    """

    name: str
    takes_any_size = False
    arithmetic_errors: tuple[type[Exception], ...] = ()
    memory_errors: tuple[type[Exception], ...] = (MemoryError,)

    def operations(self) -> Any:
        """Return ``keras.ops``, or the same made cheaper."""
        import keras

        return keras.ops

    def affine(self, inputs: Any, kernel: Any, bias: Any) -> Any:
        """Return ``inputs kernel + bias``."""
        import keras

        return keras.ops.add(keras.ops.matmul(inputs, kernel), bias)

    def bfloat16_affine(self, inputs: Any, kernel: Any, bias: Any) -> Any:
        """Return ``inputs kernel + bias``, the product's factors rounded to bfloat16.

        It has the range of single precision, so that no gradient has to be scaled.
        """
        import keras

        factors = (keras.ops.cast(factor, "bfloat16") for factor in (inputs, kernel))
        product = keras.ops.cast(keras.ops.matmul(*factors), "float32")
        return keras.ops.add(product, bias)

    def compile(self, function: Callable) -> Callable:
        """Return a pure function of arrays, compiled at its first call."""
        raise NotImplementedError

    def value_and_gradient(self, objective: Callable, weights: Any) -> tuple[Any, Any]:
        """Return an objective and its gradient by the weights, of the same structure.

        What the objective does not depend on has a gradient of zero or None.
        """
        raise NotImplementedError

    def mean_over_parts(
        self, function: Callable, parts: Any, devices: tuple[str, ...]
    ) -> tuple[Any, ...]:
        """Return the means of what a function returns for parts, one on each device.

        Of arrays in `parts`, a named tuple, the first axis tells the part.
        """
        answers = []
        for k, device in enumerate(devices):
            with self.on_device(device):
                answers.append(function(type(parts)(*(array[k] for array in parts))))
        return tuple(
            sum(values) / len(devices) for values in zip(*answers, strict=True)
        )

    def cutter(self, shapes: list[tuple]) -> Callable:
        """Return what cuts a vector into arrays of these shapes."""
        import keras

        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1].tolist()

        def cut(flat):
            pieces = keras.ops.split(flat, ends)
            return [
                keras.ops.reshape(piece, shape)
                for piece, shape in zip(pieces, shapes, strict=True)
            ]

        return cut

    def on_device(self, device: str | None) -> contextlib.AbstractContextManager:
        """Return a context in which arrays are made on a device; None: the default."""
        import keras

        return contextlib.nullcontext() if device is None else keras.device(device)

    def devices(self) -> list[str]:
        """Return the names of the devices that are there, such as ``"cpu:0"``."""
        import keras

        return keras.distribution.list_devices()

    def has_own_memory(self, device: str | None) -> bool:
        """Return whether arrays have to be moved to a device; None: the default."""
        names = self.devices() if device is None else [device.lower()]
        return not all(name.startswith("cpu") for name in names)

    def to_numpy(self, array: Any) -> np.ndarray:
        """Return an array of this backend, from any device."""
        return np.asarray(array)


class _TensorFlow(Backend):
    name = "tensorflow"
    takes_any_size = True

    def __init__(self):
        import tensorflow as tf

        self.arithmetic_errors = (tf.errors.InvalidArgumentError,)  # by Cholesky
        self.memory_errors = (tf.errors.ResourceExhaustedError,)

    def operations(self):
        import keras
        import tensorflow as tf

        # Keras looks through every factor for NaN, which the loss shows anyway, and
        # before 3.9 it cannot solve in a graph.
        replaced = {
            "silu": tf.custom_gradient(_silu),
            "cholesky": tf.linalg.cholesky,
            "solve": tf.linalg.solve,
        }
        return SimpleNamespace(**(vars(keras.ops) | replaced))

    def compile(self, function):
        """Return a function that is traced once for arrays of any size.

        XLA stays off: on CPU it gains little here and compiles twice as long.
        """
        import tensorflow as tf

        traced, lock = [], threading.Lock()

        def any_size(array):
            array = tf.convert_to_tensor(array)
            return tf.TensorSpec([None] * array.shape.rank, array.dtype)

        def call(*arguments):
            with lock:
                if not traced:
                    signature = tf.nest.map_structure(any_size, arguments)
                    traced.append(
                        tf.function(
                            function, input_signature=signature, autograph=False
                        )
                    )
            return traced[0](*arguments)

        return call

    def value_and_gradient(self, objective, weights):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = objective(weights)
        return value, tape.gradient(value, weights)

    def affine(self, inputs, kernel, bias):
        import tensorflow as tf

        # One kernel of TensorFlow's, whose gradient needs no look at shapes.
        return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)

    def cutter(self, shapes):
        import tensorflow as tf

        # Sizes are tensors: what is made of them here is not made in every step.
        sizes = tf.stack([math.prod(shape) for shape in shapes])
        shapes = [tf.stack(shape) for shape in shapes]

        def cut(flat):
            # The cut's gradient is one concatenation.
            return list(map(tf.reshape, tf.split(flat, sizes), shapes))

        return cut


class _Jax(Backend):
    name = "jax"

    def __init__(self):
        import jax

        self.memory_errors = (jax.errors.JaxRuntimeError,)

    def compile(self, function):
        import jax

        return jax.jit(function)

    def value_and_gradient(self, objective, weights):
        import jax

        return jax.value_and_grad(objective)(weights)

    def mean_over_parts(self, function, parts, devices):
        """Let XLA part what is computed side by side for all parts."""
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        kind = devices[0].split(":")[0]
        by_name = {f"{x.platform}:{x.id}": x for x in jax.devices(kind)}
        mesh = Mesh(np.array([by_name[device] for device in devices]), ("part",))
        placed = NamedSharding(mesh, PartitionSpec("part"))
        parts = jax.lax.with_sharding_constraint(parts, placed)
        answers = jax.vmap(function)(parts)
        return jax.tree.map(lambda values: values.mean(axis=0), answers)


class _Torch(Backend):
    """PyTorch, step by step: its compiler needs a C++ compiler on the machine."""

    name = "torch"

    def __init__(self):
        import torch

        self.arithmetic_errors = (torch.linalg.LinAlgError,)  # by Cholesky
        self.memory_errors = (torch.OutOfMemoryError,)

    def operations(self):
        import keras
        import torch

        # Keras hides which error it was.
        return SimpleNamespace(
            **(vars(keras.ops) | {"cholesky": torch.linalg.cholesky})
        )

    def compile(self, function):
        import keras
        import torch

        def call(*arguments):
            with torch.no_grad():
                return function(
                    *keras.tree.map_structure(keras.ops.convert_to_tensor, arguments)
                )

        return call

    def value_and_gradient(self, objective, weights):
        import keras
        import torch

        with torch.enable_grad():
            leaves = keras.tree.map_structure(
                lambda weight: weight.detach().requires_grad_(), weights
            )
            value = objective(leaves)
            flat = keras.tree.flatten(leaves)
            slopes = torch.autograd.grad(value, flat, allow_unused=True)
        return value.detach(), keras.tree.pack_sequence_as(leaves, slopes)

    def devices(self):
        import torch

        names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        return ["cpu:0", *names, *(name.replace("cuda", "gpu") for name in names)]

    def to_numpy(self, array):
        return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


_BACKENDS = {backend.name: backend for backend in (_TensorFlow, _Jax, _Torch)}


def current() -> Backend:
    """Return the backend that Keras runs on.

    Raises
    ------
    NotImplementedError
        If it is one for which nothing here is written.
    """
    with without_start_up_noise() as is_quiet:
        import keras

        if is_quiet:
            keras.distribution.list_devices()  # the search for them is told, too
    name = keras.backend.backend()
    if name not in _BACKENDS:
        raise NotImplementedError(
            f"Keras backend {name!r}: expected one of {sorted(_BACKENDS)}."
        )
    return _BACKENDS[name]()


def _silu(x):
    """Return SiLU and its gradient: Keras' computes the logistic function twice."""
    import keras

    share = keras.ops.sigmoid(x)
    y = x * share
    return y, lambda upstream: upstream * (share + y - y * share)
