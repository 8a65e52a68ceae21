"""Compiled programs: training steps and answers, as pure functions of arrays.

A program takes weights, moments, data and randomness and returns new weights,
moments and losses; it keeps nothing. Programs are compiled once and shared, so
that a second fit starts at once and two threads do not wait for each other.
What differs by Keras backend is in `_backends`.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vaeimpute import _backends
from vaeimpute._backends import Backend
from vaeimpute._encoding import Layout, Rows
from vaeimpute._vae import VAE, Architecture, Batch

#: Steps that one call of the training program can take.
MAX_STEPS = 128

#: Adam as published, the gradient's largest norm, and the weight of the past in
#: the moving average of the weights.
_BETA_1, _BETA_2, _EPSILON, _CLIP_NORM = 0.9, 0.999, 1e-8, 1.0
_AVERAGE_DECAY = 0.99

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
    noise : array of shape (n_steps, n_bounded, n_latent)
    learning_rate : array of shape (n_steps,)
    """

    rows: Any
    rate: Any
    hide: Any
    noise: Any
    learning_rate: Any


class Engine:
    """Trains and answers for one architecture, on programs shared with others.

    Parameters
    ----------
    architecture : Architecture
    device : str, sequence of str, or None
        A Keras device name such as ``"cpu"`` or ``"gpu:0"``, or several, which share
        each step's rows; None leaves the choice to the backend.
    mixed_precision : bool
        Whether the networks' products are of factors in bfloat16.

    Raises
    ------
    RuntimeError
        In a process forked after Keras has run in its parent.
    ValueError
        If there is no such device.
    """

    def __init__(
        self,
        architecture: Architecture,
        device: str | Sequence[str] | None = None,
        mixed_precision: bool = False,
    ):
        self.architecture = architecture
        is_one = device is None or isinstance(device, str)
        names = [device] if is_one else device
        self._devices = tuple(name and name.lower() for name in names)
        self._device = self._devices[0]
        self._backend = _backends.current()
        self._programs = _get_programs(
            architecture, self._backend, self._devices, mixed_precision
        )
        self._shapes = architecture.weight_shapes()

    def initial_state(self, weights: dict[str, np.ndarray]) -> TrainingState:
        """Return the state before the first step."""
        flat = [np.ravel(weights[name]) for name in self._shapes]
        flat = np.concatenate(flat).astype(np.float32)
        moments = (np.zeros_like(flat), np.zeros_like(flat), np.zeros((), np.float32))
        return TrainingState(flat, moments, flat.copy())

    def to_numpy(self, state: TrainingState) -> TrainingState:
        """Return a state that can be kept and pickled."""
        weights, moments, average = state
        arrays = [
            np.array(self._backend.to_numpy(x)) for x in (weights, *moments, average)
        ]
        return TrainingState(arrays[0], tuple(arrays[1:-1]), arrays[-1])

    def weights(self, flat) -> dict[str, np.ndarray]:
        """Return flat weights by name."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes.values()])
        pieces = np.split(np.array(self._backend.to_numpy(flat)), ends[:-1])
        named = zip(self._shapes.items(), pieces, strict=True)
        return {name: piece.reshape(shape) for (name, shape), piece in named}

    def place(self, arrays):
        """Move rows or a layout to the device, once for many calls."""
        import keras

        with self._backend.on_device(self._device):
            return type(arrays)(*(keras.ops.convert_to_tensor(a) for a in arrays))

    def place_if_it_pays(self, rows: Rows) -> Rows:
        """Move rows to a device that has memory of its own, if they fit there.

        Where they stay, each call of `train` sends those that it takes.
        """
        if len(self._devices) > 1 or not self._backend.has_own_memory(self._device):
            return rows
        try:
            return self.place(rows)
        except self._backend.memory_errors:
            return rows

    def train(
        self, state: TrainingState, rows: Rows, layout: Layout, steps: Steps, beta
    ) -> tuple[TrainingState, np.ndarray]:
        """Run at most `MAX_STEPS` steps on rows, placed or not.

        Returns
        -------
        state : TrainingState
        losses : ndarray of shape (n_steps,)
            Nats per column; NaN where the backend could not go on.
        """
        n_steps = len(steps.rows)
        steps = Steps(*(_pad_steps(array) for array in steps))
        if len(self._devices) > 1:
            steps = _dealt_out(steps, len(self._devices))
        if isinstance(rows.values, np.ndarray):
            rows, steps = _only_those_taken(rows, steps)
        count, beta = np.array(n_steps, np.int32), np.array(beta, np.float32)
        arguments = (self._sizes(), state, rows, layout, steps, count, beta)
        with self._backend.on_device(self._device):
            try:
                state, losses = self._programs.train(*arguments)
            except self._backend.arithmetic_errors:
                return state, np.full(n_steps, np.nan, np.float32)
        return state, self._backend.to_numpy(losses)[:n_steps]

    def answer(self, flat, layout: Layout, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Fill placed rows.

        Returns
        -------
        numbers : ndarray of shape (n_rows, n_numeric)
        log_levels : ndarray of shape (n_rows, n_levels)
        """
        with self._backend.on_device(self._device):
            answers = self._programs.answer(self._sizes(), flat, layout, rows)
        return tuple(self._backend.to_numpy(array) for array in answers)

    def _sizes(self) -> np.ndarray:
        a = self.architecture
        sizes = [a.n_numeric, a.n_nominal, a.n_scores, a.n_levels, a.n_latent]
        return np.array([*sizes, *a.hidden_layer_sizes], np.int32)


class _Programs:
    """The compiled training and answering programs.

    On TensorFlow they are traced once for tables of any size, which arrive with
    each call: a trace costs seconds and megabytes that are never given back. The
    others compile for the sizes of `architecture` and forget what is not used.
    """

    def __init__(
        self,
        architecture: Architecture,
        backend: Backend,
        devices: tuple[str | None, ...],
        mixed_precision: bool,
    ):
        self._architecture, self._backend = architecture, backend
        self._devices = devices
        self._affine = backend.bfloat16_affine if mixed_precision else backend.affine
        self.train = backend.compile(self._train_steps)
        self.answer = backend.compile(self._answer_rows)

    def _train_steps(self, sizes, state, rows, layout, steps, n_steps, beta):
        model, named = self._model(sizes)
        ops, backend, devices = model.ops, self._backend, self._devices
        each_step = ops.arange(MAX_STEPS)

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

            def loss_and_gradient(batch):
                return backend.value_and_gradient(
                    lambda flat: model.loss(named(flat), layout, batch, beta),
                    state.weights,
                )

            if len(devices) == 1:
                loss, gradient = loss_and_gradient(batch)
            else:
                loss, gradient = backend.mean_over_parts(
                    loss_and_gradient, batch, devices
                )
            state = _adam_step(ops, state, gradient, steps.learning_rate[i])
            return state, losses + ops.where(each_step == i, loss, 0.0)

        losses = ops.zeros((MAX_STEPS,), "float32")
        return ops.fori_loop(0, n_steps, step, (state, losses))

    def _answer_rows(self, sizes, flat, layout, rows):
        model, named = self._model(sizes)
        return model.reconstruct(named(flat), layout, rows)

    def _model(self, sizes):
        """Return the model of these sizes and what cuts its flat weights."""
        architecture = self._architecture
        if self._backend.takes_any_size:
            architecture = _with_sizes(architecture, sizes)
        model = VAE(architecture, self._backend.operations(), self._affine)
        return model, self._cutter(architecture)

    def _cutter(self, architecture: Architecture):
        """Return what cuts flat weights into named ones, of several networks apart."""
        pieces = {
            name: [shape[1:]] * shape[0] if architecture.is_for_each(name) else [shape]
            for name, shape in architecture.weight_shapes().items()
        }
        cut = self._backend.cutter(list(itertools.chain(*pieces.values())))

        def named(flat):
            arrays = iter(cut(flat))
            parts = {
                name: tuple(itertools.islice(arrays, len(shapes)))
                for name, shapes in pieces.items()
            }
            return {
                name: part if architecture.is_for_each(name) else part[0]
                for name, part in parts.items()
            }

        return named


def _get_programs(
    architecture: Architecture,
    backend: Backend,
    devices: tuple[str | None, ...],
    mixed_precision: bool,
) -> _Programs:
    """Return programs from the cache, or new ones that compile at first call."""
    global _process
    if backend.takes_any_size:
        architecture = _without_sizes(architecture)
    key = (backend.name, architecture, devices, mixed_precision)
    with _lock:
        if _process not in (None, os.getpid()):
            raise RuntimeError(
                "This process was forked after Keras had run in its parent, where "
                "a fit would hang. Start processes with 'spawn' or joblib's 'loky', "
                "or fit before forking: transform works in a forked process."
            )
        _process = os.getpid()
        if key not in _programs:
            for device in devices:
                _check_device(backend, device)
            _programs[key] = _Programs(architecture, backend, devices, mixed_precision)
        _programs.move_to_end(key)
        while len(_programs) > _MAX_PROGRAMS:
            _programs.popitem(last=False)
        return _programs[key]


def _without_sizes(architecture: Architecture) -> Architecture:
    """Keep what decides a trace: which kinds there are and how many layers."""
    numeric, nominal = architecture.has_numeric, architecture.has_nominal
    return replace(
        architecture,
        n_numeric=int(numeric),
        n_nominal=int(nominal),
        n_scores=int(nominal),
        n_levels=int(nominal),
        n_latent=1,
        hidden_layer_sizes=(1,) * len(architecture.hidden_layer_sizes),
    )


def _with_sizes(architecture: Architecture, sizes) -> Architecture:
    """Put traced sizes in place; kinds that are absent stay the number 0."""
    names = ["n_numeric", "n_nominal", "n_scores", "n_levels", "n_latent"]
    present = {
        name: sizes[i] for i, name in enumerate(names) if getattr(architecture, name)
    }
    layers = range(len(names), len(names) + len(architecture.hidden_layer_sizes))
    hidden_layer_sizes = tuple(sizes[i] for i in layers)
    return replace(architecture, **present, hidden_layer_sizes=hidden_layer_sizes)


def _check_device(backend: Backend, device: str | None) -> None:
    """Refuse a device that is not there: some backends would take another."""
    known = backend.devices()
    names = {*known, *(name.split(":")[0] for name in known)}
    if device is not None and device.lower() not in names:
        raise ValueError(
            f"device: got {device!r}, expected None or one of {sorted(names)}."
        )


def _adam_step(ops, state: TrainingState, gradient, learning_rate):
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
    # Both corrections are single numbers: they need no pass over all weights.
    root = ops.sqrt(1.0 - ops.power(_BETA_2, count))
    rate = learning_rate * root / (1.0 - ops.power(_BETA_1, count))
    weights = state.weights - rate * (first / (ops.sqrt(second) + _EPSILON * root))
    average = _AVERAGE_DECAY * state.average + (1.0 - _AVERAGE_DECAY) * weights
    return TrainingState(weights, (first, second, count), average)


def _pad_steps(array: np.ndarray) -> np.ndarray:
    """Append zeros along the first axis up to the length that is compiled."""
    missing = MAX_STEPS - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))


def _dealt_out(steps: Steps, n_devices: int) -> Steps:
    """Deal each step's rows out to devices, as many with a bound to each.

    An axis of devices comes behind that of the steps. The mean of what devices find is
    what one would find for all rows.
    """
    n_rows, n_bounded = steps.rows.shape[1], steps.noise.shape[1]
    if n_bounded % n_devices or n_rows % n_devices:
        raise ValueError(
            f"batch_size: got {n_rows}, expected a multiple of {4 * n_devices} with "
            f"{n_devices} devices."
        )

    def cut(array):
        sizes = n_devices, array.shape[1] // n_devices
        return array.reshape(len(array), *sizes, *array.shape[2:])

    def deal(array):
        with_bound, others = np.split(array, [n_bounded], axis=1)
        return np.concatenate([cut(with_bound), cut(others)], axis=2)

    return steps._replace(
        rows=deal(steps.rows),
        rate=deal(steps.rate),
        hide=deal(steps.hide),
        noise=cut(steps.noise),
    )


def _only_those_taken(rows: Rows, steps: Steps) -> tuple[Rows, Steps]:
    """Return the rows that steps take, one after the other, and steps that say so.

    As many for a table of any length: no program is compiled anew.
    """
    taken = steps.rows.ravel()
    sent = Rows(rows.values[taken], rows.observed[taken])
    places = np.arange(len(taken), dtype=np.int32).reshape(steps.rows.shape)
    return sent, steps._replace(rows=places)
