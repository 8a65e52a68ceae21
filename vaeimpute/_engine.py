"""Compiled programs: training steps and answers, as pure functions of arrays.

A program takes weights, moments, data and randomness and returns new weights,
moments and losses; it keeps nothing. Programs are compiled once per
architecture and shared by every fit with these sizes, so that a second fit
starts at once and two threads do not wait for each other. Only `_compile` and
`_value_and_gradient` differ by Keras backend.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vaeimpute._encoding import Layout, Rows
from vaeimpute._vae import VAE, Architecture, Batch

#: Rows that one call of the answering program takes.
ANSWER_ROWS = 1024

#: Steps that one call of the training program can take.
MAX_STEPS = 128

#: Adam as published, and the gradient's largest norm.
_BETA_1, _BETA_2, _EPSILON, _CLIP_NORM = 0.9, 0.999, 1e-8, 1.0

#: Rows are padded too; fewer than this share one program.
_MIN_ROWS = 64

_MAX_PROGRAMS = 16
_programs: OrderedDict[tuple, _Programs] = OrderedDict()
_lock = threading.Lock()
_process: int | None = None


class TrainingState(NamedTuple):
    """What a training step turns into its successor.

    Attributes
    ----------
    weights : array of shape (n_weights,)
        All weights, flat, in the order of ``Architecture.weight_shapes``.
    moments : tuple
        Adam's first and second moments and the number of steps taken.
    average : array of shape (n_weights,)
        Exponential moving average of the weights.
    """

    weights: Any
    moments: Any
    average: Any


class Steps(NamedTuple):
    """Settings and randomness of the steps of one call.

    Attributes
    ----------
    rows : int array of shape (n_steps, batch_size)
    rate : array of shape (n_steps, batch_size, 1)
    hide : array of shape (n_steps, batch_size, n_columns)
    noise : array of shape (n_steps, batch_size, n_latent)
    learning_rate, decay : arrays of shape (n_steps,)
        Step size, and weight of the past in the moving average.
    """

    rows: Any
    rate: Any
    hide: Any
    noise: Any
    learning_rate: Any
    decay: Any


class Engine:
    """Trains and answers for one architecture, on programs shared with others.

    Sizes are padded to a few steps of a ladder, so that tables of similar
    widths run the same programs: a new one costs seconds and memory that
    TensorFlow never gives back. Callers see true sizes only.

    Parameters
    ----------
    architecture : Architecture
    batch_size : int
    device : str or None
        A Keras device name such as ``"cpu"`` or ``"gpu:0"``; None leaves the
        choice to the backend.

    Raises
    ------
    RuntimeError
        In a process forked after Keras has run in its parent.
    """

    def __init__(self, architecture: Architecture, batch_size: int, device=None):
        self.architecture = architecture
        self.batch_size = batch_size
        self._padding = _Padding(architecture)
        self._programs = _get_programs(self._padding.padded, batch_size, device)

    def initial_state(self, weights: dict[str, np.ndarray]) -> TrainingState:
        """Return the state before the first step."""
        flat = self._padding.flatten(weights)
        moments = (np.zeros_like(flat), np.zeros_like(flat), np.float32(0.0))
        return TrainingState(flat, moments, flat.copy())

    def weights(self, flat) -> dict[str, np.ndarray]:
        """Return flat weights by name and in their true shapes."""
        return self._padding.unflatten(np.asarray(flat))

    def place_rows(self, rows: Rows) -> Rows:
        """Pad rows and move them to the device, once for many calls."""
        n_rows = _ladder(max(len(rows.values), _MIN_ROWS))
        return self._programs.place(self._padding.rows(rows, n_rows))

    def place_layout(self, layout: Layout) -> Layout:
        """Pad a layout and move it to the device."""
        return self._programs.place(self._padding.layout(layout))

    def train(
        self, state: TrainingState, rows: Rows, layout: Layout, steps: Steps, beta
    ) -> tuple[TrainingState, np.ndarray]:
        """Run at most `MAX_STEPS` steps on placed rows.

        Returns
        -------
        state : TrainingState
        losses : ndarray of shape (n_steps,)
            Nats per column of the table.
        """
        n_steps = len(steps.rows)
        hide = _scatter(
            steps.hide, self._padding.padded.n_columns, self._padding.columns
        )
        padded = Steps(
            *(_pad_rows(array, MAX_STEPS) for array in steps._replace(hide=hide))
        )
        count, beta = np.array(n_steps, np.int32), np.array(beta, np.float32)
        state, losses = self._programs.train(state, rows, layout, padded, count, beta)
        return state, np.asarray(losses)[:n_steps]

    def answer(self, flat, layout: Layout, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Decode rows, not yet placed, at their posterior means.

        Returns
        -------
        numbers : ndarray of shape (n_rows, n_numeric)
        log_levels : ndarray of shape (n_rows, n_levels)
        """
        parts = []
        for start in range(0, len(rows.values), ANSWER_ROWS):
            block = Rows(*(array[start : start + ANSWER_ROWS] for array in rows))
            padded = self._padding.rows(block, ANSWER_ROWS)
            answers = self._programs.answer(flat, layout, padded)
            parts.append([np.asarray(array)[: len(block.values)] for array in answers])
        numbers, levels = (
            np.concatenate(arrays) for arrays in zip(*parts, strict=True)
        )
        true = self.architecture
        return numbers[:, : true.n_numeric], levels[:, : true.n_levels]


class _Programs:
    """The compiled training and answering programs of one padded architecture."""

    def __init__(self, architecture: Architecture, batch_size: int, device):
        import keras

        self._model = VAE(architecture, keras.ops)
        self._shapes = architecture.weight_shapes()
        self._batch_size = batch_size
        self._device = device
        self._train = _compile(self._train_steps)
        self._answer = _compile(self._answer_rows)

    def place(self, arrays):
        """Move a tuple of arrays to the device."""
        import keras

        with self._on_device():
            return type(arrays)(*(keras.ops.convert_to_tensor(a) for a in arrays))

    def train(self, state, *arguments):
        """Run the training program; losses are NaN where it cannot go on."""
        with self._on_device():
            try:
                return self._train(state, *arguments)
            except _arithmetic_errors():
                return state, np.full(MAX_STEPS, np.nan, np.float32)

    def answer(self, *arguments):
        """Run the answering program."""
        with self._on_device():
            return self._answer(*arguments)

    def _train_steps(self, state, rows, layout, steps, n_steps, beta):
        ops = self._model.ops
        each_step = ops.arange(MAX_STEPS)

        def objective(flat, batch):
            return self._model.loss(self._named(flat), layout, batch, beta)

        def step(i, carry):
            state, losses = carry
            chosen = steps.rows[i]
            batch = Batch(
                ops.take(rows.values, chosen, axis=0),
                ops.take(rows.observed, chosen, axis=0),
                steps.rate[i],
                steps.hide[i],
                steps.noise[i],
            )
            loss, gradient = _value_and_gradient(objective, state.weights, batch)
            state = _adam_step(
                ops, state, gradient, steps.learning_rate[i], steps.decay[i]
            )
            return state, losses + ops.where(each_step == i, loss, 0.0)

        losses = ops.zeros((MAX_STEPS,), "float32")
        return ops.fori_loop(0, n_steps, step, (state, losses))

    def _answer_rows(self, flat, layout, rows):
        return self._model.reconstruct(self._named(flat), layout, rows)

    def _named(self, flat) -> dict[str, Any]:
        """Cut the flat weights: the cut's gradient is one concatenation."""
        ops = self._model.ops
        sizes = [int(np.prod(shape)) for shape in self._shapes.values()]
        pieces = ops.split(flat, np.cumsum(sizes)[:-1].tolist())
        shapes = self._shapes.items()
        return {
            name: ops.reshape(piece, shape)
            for (name, shape), piece in zip(shapes, pieces, strict=True)
        }

    def _on_device(self):
        import keras

        if self._device is None:
            return contextlib.nullcontext()
        return keras.device(self._device)


def _get_programs(architecture: Architecture, batch_size: int, device) -> _Programs:
    """Return programs from the cache, or new ones that compile at first call."""
    global _process
    import keras

    key = (keras.backend.backend(), architecture, batch_size, device)
    with _lock:
        if _process not in (None, os.getpid()):
            raise RuntimeError(
                "This process was forked after Keras had run in its parent, where "
                "a fit would hang. Start processes with 'spawn' or joblib's 'loky', "
                "or fit before forking: transform works in a forked process."
            )
        _process = os.getpid()
        if key not in _programs:
            _check_device(device)
            _programs[key] = _Programs(architecture, batch_size, device)
        _programs.move_to_end(key)
        while len(_programs) > _MAX_PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


def _check_device(device: str | None) -> None:
    """Refuse a device that is not there: some backends would take another."""
    import keras

    known = keras.distribution.list_devices()
    names = {*known, *(name.split(":")[0] for name in known)}
    if device is not None and device.lower() not in names:
        raise ValueError(
            f"device: got {device!r}, expected None or one of {sorted(names)}."
        )


def _adam_step(ops, state: TrainingState, gradient, learning_rate, decay):
    """Take one step of Adam on a clipped gradient and average the weights.

    Kingma & Ba (2015), algorithm 1. Keras' own optimizers hold their moments in
    variables, and their stateless form does not exist on TensorFlow.
    """
    norm = ops.sqrt(ops.sum(ops.square(gradient)))
    gradient = gradient * ops.minimum(1.0, _CLIP_NORM / (norm + 1e-12))
    first, second, count = state.moments
    count = count + 1.0
    first = _BETA_1 * first + (1.0 - _BETA_1) * gradient
    second = _BETA_2 * second + (1.0 - _BETA_2) * ops.square(gradient)
    step = first / (1.0 - ops.power(_BETA_1, count))
    scale = ops.sqrt(second / (1.0 - ops.power(_BETA_2, count))) + _EPSILON
    weights = state.weights - learning_rate * step / scale
    average = decay * state.average + (1.0 - decay) * weights
    return TrainingState(weights, (first, second, count), average)


class _Padding:
    """Where a table's columns, values, levels and features lie among padded ones."""

    def __init__(self, architecture: Architecture):
        true = architecture
        self.true = true
        self.padded = padded = replace(
            true,
            n_numeric=_ladder(true.n_numeric),
            n_nominal=_ladder(true.n_nominal),
            n_scores=_ladder(true.n_scores),
            n_levels=_ladder(true.n_levels),
        )
        numbers = np.arange(true.n_numeric)
        self.numbers = numbers
        self.columns = np.append(numbers, padded.n_numeric + np.arange(true.n_nominal))
        self.values = np.append(numbers, padded.n_numeric + np.arange(true.n_scores))
        self.outputs = np.append(numbers, padded.n_numeric + np.arange(true.n_levels))
        self.features = self._feature_positions()

    def flatten(self, weights: dict[str, np.ndarray]) -> np.ndarray:
        """Lay all weights into one padded vector."""
        pieces = []
        for name, shape in self.padded.weight_shapes().items():
            piece = np.zeros(shape, np.float32)
            piece[self._live(name, shape)] = weights[name]
            pieces.append(piece.ravel())
        return np.concatenate(pieces)

    def unflatten(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inverse of `flatten`: weights in their true shapes."""
        weights, start = {}, 0
        for name, shape in self.padded.weight_shapes().items():
            piece = flat[start : start + int(np.prod(shape))].reshape(shape)
            weights[name] = piece[self._live(name, shape)].copy()
            start += piece.size
        return weights

    def rows(self, rows: Rows, n_rows: int) -> Rows:
        """Return rows with padding columns and rows, observed nowhere."""
        width = self.padded.n_columns
        values = _scatter(rows.values, width, self.columns)
        observed = _scatter(rows.observed, width, self.columns)
        return Rows(_pad_rows(values, n_rows), _pad_rows(observed, n_rows))

    def layout(self, layout: Layout) -> Layout:
        """Return a layout in which padding is dead: no score, no level, no edge."""
        padded, true = self.padded, self.true
        edges = np.tile(
            np.arange(true.n_bins + 1, dtype=np.float32), (padded.n_numeric, 1)
        )
        edges[: true.n_numeric] = layout.edges
        code = np.full(padded.n_levels, -1, np.float32)
        code[: true.n_levels] = layout.level_code
        levels, scores = padded.n_levels, padded.n_scores
        return Layout(
            n_columns=layout.n_columns,
            live=_scatter(layout.live, padded.n_values, self.values),
            edges=edges,
            log_share=_pad(layout.log_share, levels),
            contrast=_pad(layout.contrast, levels, scores),
            level_column=_pad(layout.level_column, levels),
            level_code=code,
            membership=_pad(layout.membership, levels, padded.n_nominal),
            score_membership=_pad(layout.score_membership, padded.n_nominal, scores),
        )

    def _feature_positions(self) -> np.ndarray:
        """Follow the order of ``VAE._features``."""
        padded, true = self.padded, self.true
        blocks = [
            (self.values, padded.n_values),
            (self.values, padded.n_values),
            (np.arange(true.n_latent), true.n_latent),
            (self.columns, padded.n_columns),
            (np.arange(true.n_numeric * true.n_bins), padded.n_numeric * true.n_bins),
        ]
        starts = np.cumsum([0] + [size for _, size in blocks])
        return np.concatenate(
            [start + at for start, (at, _) in zip(starts, blocks, strict=False)]
        )

    def _live(self, name: str, shape: tuple[int, ...]):
        """Return the index of the true part of a padded weight."""
        first = {
            "core.mean": self.values,
            "core.loadings": self.values,
            "core.log_noise": self.values,
            "decoder.log_noise": self.numbers,
            "encoder.input.kernel": self.features,
            "decoder.output.bias": self.outputs,
        }
        axes = [np.arange(size) for size in shape]
        axes[0] = first.get(name, axes[0])
        if name == "decoder.output.kernel":
            axes[1] = self.outputs
        return np.ix_(*axes)


def _ladder(size: int) -> int:
    """Return the smallest of 0, 4, 6, 8, 12, 16, 24, 32, 48, ... not below size."""
    if size <= 4:
        return 4 if size else 0
    power = 1 << (size - 1).bit_length()
    return 3 * power // 4 if size <= 3 * power // 4 else power


def _scatter(array: np.ndarray, size: int, positions: np.ndarray) -> np.ndarray:
    """Place the last axis at `positions` of a longer axis of zeros."""
    wide = np.zeros((*array.shape[:-1], size), array.dtype)
    wide[..., positions] = array
    return wide


def _pad(array: np.ndarray, *shape: int) -> np.ndarray:
    """Append zeros along every axis up to a shape."""
    return np.pad(array, [(0, n - m) for n, m in zip(shape, array.shape, strict=True)])


def _pad_rows(array: np.ndarray, n_rows: int) -> np.ndarray:
    """Append zeros along the first axis up to a fixed length."""
    missing = n_rows - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))


def _compile(function):
    """Compile a pure function of arrays with the backend's own compiler."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # XLA inside TensorFlow is 2-3 times slower on CPU: leave it off.
        # Each partial is a function of its own to TensorFlow, which otherwise takes
        # the programs of several architectures for one that is retraced too often.
        function = functools.partial(function)
        return tf.function(function, jit_compile=False, reduce_retracing=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    raise NotImplementedError(
        f"Keras backend {backend!r}: expected 'tensorflow' or 'jax'."
    )


def _arithmetic_errors() -> tuple[type[Exception], ...]:
    """Return what the backend raises where another one goes on with NaN."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return ()
    import tensorflow as tf

    return (tf.errors.InvalidArgumentError,)  # by Cholesky's factorisation


def _value_and_gradient(objective, weights, batch):
    """Return the objective and its gradient by the weights."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.value_and_grad(objective)(weights, batch)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = objective(weights, batch)
    return value, tape.gradient(value, weights)
