"""Compiled programs: formulas, the step, sharing and threads."""

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from vaeimpute import _backends, _engine, _numpy_ops
from vaeimpute._columns import Column
from vaeimpute._conditional import FittedVAE
from vaeimpute._encoding import Encoding, Layout, Rows
from vaeimpute._engine import Engine, Steps, TrainingState
from vaeimpute._training import Settings, train
from vaeimpute._vae import VAE, Architecture, Batch

KINDS = {"mixed": (5, (2, 3)), "numeric": (5, ()), "nominal": (0, (2, 3, 2))}

SETTINGS = Settings(
    n_components=2,
    hidden_layer_sizes=(6,),
    max_iter=4,
    batch_size=16,
    early_stopping=False,
)


def make_table(n_numeric=5, n_levels=(2, 3), n_rows=40, seed=0):
    """Return encoded rows of columns that depend on one another, and the encoding."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_rows, 1))
    numbers = factor + 0.5 * rng.normal(size=(n_rows, n_numeric))
    codes = [
        np.digitize(factor[:, 0] + rng.normal(size=n_rows), np.linspace(-1, 1, n - 1))
        for n in n_levels
    ]
    values = np.column_stack([numbers, *codes])
    values[rng.random(values.shape) < 0.2] = np.nan
    numeric = [Column(f"x{j}", "numeric", "float64") for j in range(n_numeric)]
    nominal = [Column(f"c{n}", "nominal", "str", tuple(range(n))) for n in n_levels]
    encoding = Encoding.fit(values, (*numeric, *nominal))
    return encoding.encode(values), encoding


def make_architecture(encoding, n_latent=2, hidden=(6,)):
    layout = encoding.layout()
    return Architecture(
        n_numeric=len(encoding.numeric),
        n_nominal=len(encoding.nominal),
        n_scores=layout.contrast.shape[1],
        n_levels=len(layout.log_share),
        n_latent=n_latent,
        hidden_layer_sizes=hidden,
    )


def random_weights(architecture, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: (0.3 * rng.normal(size=shape)).astype(np.float32)
        for name, shape in architecture.weight_shapes().items()
    }


def make_steps(architecture, n_rows, n_steps, batch_size=16):
    rng = np.random.default_rng(1)
    shape = (n_steps, batch_size)
    return Steps(
        rows=rng.integers(n_rows, size=shape).astype(np.int32),
        rate=np.full((*shape, 1), 0.3, np.float32),
        hide=rng.random((*shape, architecture.n_columns), np.float32),
        noise=rng.standard_normal((*shape, architecture.n_latent), np.float32),
        learning_rate=np.linspace(0.01, 0.02, n_steps, dtype=np.float32),
    )


def batch_of(rows, steps, i):
    chosen = steps.rows[i]
    return Batch(
        rows.values[chosen],
        rows.observed[chosen],
        steps.rate[i],
        steps.hide[i],
        steps.noise[i],
    )


def loss_and_gradient(architecture, layout, weights, batch):
    """Return the loss and its gradient by name, computed step by step by Keras."""
    from keras import ops

    model = VAE(architecture, ops)
    layout, batch = on_backend(layout), on_backend(batch)
    backend = _backends.current()
    loss, found = backend.value_and_gradient(
        lambda weights: model.loss(weights, layout, batch, 1.0), on_backend(weights)
    )
    # In the order of the weights: some backends sort a dict.
    return float(loss), {name: backend.to_numpy(found[name]) for name in weights}


def on_backend(arrays):
    from keras import ops, tree

    return tree.map_structure(ops.convert_to_tensor, arrays)


def to_numpy(array):
    return _backends.current().to_numpy(array)


def double(arrays):
    """Return a dict or named tuple of arrays in double precision."""
    if isinstance(arrays, dict):
        return {name: array.astype(float) for name, array in arrays.items()}
    return type(arrays)(
        *(a.astype(float) if a.dtype.kind == "f" else a for a in arrays)
    )


def only_on_tensorflow():
    import keras

    if keras.backend.backend() != "tensorflow":
        pytest.skip("other backends compile for the sizes of a table")


def assert_same_bits(first, second):
    assert first.loss_curve == second.loss_curve
    assert first.validation_scores == second.validation_scores
    assert first.architecture == second.architecture
    for name, weight in first.weights.items():
        np.testing.assert_array_equal(weight, second.weights[name], err_msg=name)


@pytest.fixture(params=KINDS)
def table(request):
    return make_table(*KINDS[request.param])


@pytest.fixture
def no_programs(monkeypatch):
    monkeypatch.setattr(_engine, "_programs", OrderedDict())
    return _engine._programs


# Formulas.


def test_flat_weights_come_back(table):
    architecture = make_architecture(table[1])
    weights = random_weights(architecture)
    engine = Engine(architecture)

    flat = engine.initial_state(weights).weights
    back = engine.weights(flat)

    assert flat.dtype == np.float32
    assert flat.size == sum(weight.size for weight in weights.values())
    assert back.keys() == weights.keys()
    for name, weight in weights.items():
        np.testing.assert_array_equal(back[name], weight, err_msg=name)


class Case(NamedTuple):
    """A model with random weights and what it is asked."""

    architecture: Architecture
    layout: Layout
    weights: dict
    rows: Rows
    steps: Steps

    def compiled(self):
        """Return the compiled answers and the loss of one compiled step."""
        engine = Engine(self.architecture)
        state = engine.initial_state(self.weights)
        layout, rows = engine.place(self.layout), engine.place(self.rows)
        numbers, log_levels = engine.answer(state.weights, layout, rows)
        _, (loss,) = engine.train(state, rows, layout, self.steps, 0.7)
        return numbers, log_levels, loss

    def plain(self):
        """Return the same by the plain formulas in double precision."""
        model = VAE(self.architecture, _numpy_ops)
        weights, layout = double(self.weights), double(self.layout)
        batch = double(batch_of(self.rows, self.steps, 0))
        answers = model.reconstruct(weights, layout, double(self.rows))
        return *answers, model.loss(weights, layout, batch, 0.7)


def make_case(n_numeric, n_levels, n_latent, hidden, n_rows=40, batch_size=16):
    rows, encoding = make_table(n_numeric, n_levels, n_rows)
    architecture = make_architecture(encoding, n_latent, hidden)
    steps = make_steps(architecture, n_rows, 1, batch_size)
    weights = random_weights(architecture)
    return Case(architecture, encoding.layout(), weights, rows, steps)


#: Cases with the same kinds of columns and number of layers, of different sizes;
#: columns with one level have no score.
SAME_KINDS = {
    "mixed": [
        (5, (2, 3), 2, (6,)),
        (1, (4,), 1, (9,), 7, 3),
        (3, (1,), 3, (4,), 90, 32),
    ],
    "numeric": [
        (5, (), 2, (6,)),
        (1, (), 1, (9,), 7, 3),
        (8, (), 3, (4,), 90, 32),
    ],
    "nominal": [
        (0, (2, 3, 2), 2, (6,)),
        (0, (4,), 1, (9,), 7, 3),
        (0, (1, 1), 3, (4,), 90, 32),
    ],
    "no layers": [(5, (2, 3), 2, ()), (2, (3, 4), 3, (), 90, 32)],
    "two layers": [(5, (2, 3), 2, (6, 5)), (2, (3, 4), 3, (4, 7), 90, 32)],
}


@pytest.mark.parametrize("name", SAME_KINDS)
@pytest.mark.parametrize("order", [1, -1], ids=["forward", "backward"])
@pytest.mark.usefixtures("no_programs")
def test_compiled_programs_compute_the_plain_formulas(name, order):
    # The first of these tables is there when a program is traced; the others
    # must get nothing of its sizes.
    for sizes in SAME_KINDS[name][::order]:
        case = make_case(*sizes)
        numbers, log_levels, loss = case.compiled()

        expected_numbers, expected_levels, expected_loss = case.plain()
        assert numbers.shape == expected_numbers.shape
        assert log_levels.shape == expected_levels.shape
        np.testing.assert_allclose(numbers, expected_numbers, atol=1e-4)
        np.testing.assert_allclose(log_levels, expected_levels, atol=1e-4)
        assert loss == pytest.approx(expected_loss, rel=1e-5)


@pytest.mark.parametrize("n_rows", [0, 1, 700])
def test_any_number_of_rows_is_answered(table, n_rows):
    rows, encoding = table
    rows = Rows(*(np.resize(array, (n_rows, array.shape[1])) for array in rows))
    architecture, layout = make_architecture(encoding), encoding.layout()
    weights = random_weights(architecture)
    engine = Engine(architecture)
    flat = engine.initial_state(weights).weights

    answers = engine.answer(flat, engine.place(layout), engine.place(rows))

    plain = VAE(architecture, _numpy_ops).reconstruct(
        double(weights), double(layout), double(rows)
    )
    for found, expected in zip(answers, plain, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-4)


# The step.


def textbook_adam(weights, gradients, rates):
    """Kingma & Ba (2015), algorithm 1, in double precision."""
    weights, first, second = weights.astype(float), 0.0, 0.0
    for t, (slope, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        step = first / (1 - 0.9**t)
        weights = weights - rate * step / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    return weights


@pytest.mark.parametrize("size", [0.1, 50.0])
def test_adam_is_the_textbooks_with_clipping(size):
    from keras import ops

    rng = np.random.default_rng(0)
    gradients = (size * rng.normal(size=(5, 8))).astype(np.float32)
    weights, zero = rng.normal(size=8).astype(np.float32), np.zeros(8, np.float32)
    rates, decay = [0.1, 0.05, 0.2, 0.1, 0.1], _engine._AVERAGE_DECAY
    start = TrainingState(weights, (zero, zero, np.float32(0.0)), weights)
    state = on_backend(start)
    average = weights.astype(float)

    clipped = []
    for t, slope in enumerate(gradients):
        state = _engine._adam_step(ops, state, on_backend(slope), rates[t])
        clipped.append(slope / max(1.0, np.linalg.norm(slope)))
        expected = textbook_adam(weights, clipped, rates[: t + 1])
        average = decay * average + (1 - decay) * expected
        np.testing.assert_allclose(to_numpy(state.weights), expected, atol=1e-5)
        np.testing.assert_allclose(to_numpy(state.average), average, atol=1e-5)
    assert float(state.moments[2]) == 5


def test_trained_step_is_adam_on_the_gradient_of_the_loss(table):
    rows, encoding = table
    architecture, layout = make_architecture(encoding), encoding.layout()
    weights, steps = random_weights(architecture), make_steps(architecture, 40, 1)
    engine = Engine(architecture)

    state, losses = engine.train(
        engine.initial_state(weights),
        engine.place(rows),
        engine.place(layout),
        steps,
        1.0,
    )

    batch = batch_of(rows, steps, 0)
    loss, gradient = loss_and_gradient(architecture, layout, weights, batch)
    assert losses == pytest.approx([loss], rel=1e-4)
    norm = np.sqrt(sum(np.sum(slope**2) for slope in gradient.values()))
    moments = engine.weights(state.moments[0])
    for name, weight in engine.weights(state.weights).items():
        slope = gradient[name] / max(1.0, norm)
        np.testing.assert_allclose(moments[name], 0.1 * slope, atol=1e-5)
        # Adam's first step has the size of the rate wherever there is a slope.
        steep = np.abs(slope) > 1e-3
        expected = weights[name] - 0.01 * np.sign(slope)
        np.testing.assert_allclose(weight[steep], expected[steep], atol=1e-5)


def test_many_steps_in_one_call_are_the_steps_one_by_one():
    rows, encoding = make_table()
    architecture = make_architecture(encoding)
    steps = make_steps(architecture, 40, 3)
    engine = Engine(architecture)
    layout, placed = engine.place(encoding.layout()), engine.place(rows)
    start = engine.initial_state(random_weights(architecture))

    at_once, losses = engine.train(start, placed, layout, steps, 1.0)
    state, singly = start, []
    for i in range(3):
        one = Steps(*(array[i : i + 1] for array in steps))
        state, loss = engine.train(state, placed, layout, one, 1.0)
        singly.extend(loss)

    np.testing.assert_array_equal(losses, singly)
    for array, other in [
        (at_once.weights, state.weights),
        (at_once.average, state.average),
        *zip(at_once.moments, state.moments, strict=True),
    ]:
        np.testing.assert_array_equal(to_numpy(array), to_numpy(other))


def test_rows_sent_with_each_call_train_as_placed_ones(table):
    rows, encoding = table
    architecture = make_architecture(encoding)
    engine, steps = Engine(architecture), make_steps(architecture, 40, 3)
    layout = engine.place(encoding.layout())
    start = engine.initial_state(random_weights(architecture))

    state, losses = engine.train(start, rows, layout, steps, 1.0)
    other, placed = engine.train(start, engine.place(rows), layout, steps, 1.0)

    np.testing.assert_allclose(losses, placed, rtol=1e-6)
    np.testing.assert_allclose(
        to_numpy(state.weights), to_numpy(other.weights), atol=1e-6
    )


def test_rows_stay_where_they_are_or_do_not_fit(table, monkeypatch):
    rows, encoding = table
    engine = Engine(make_architecture(encoding), "cpu")
    assert engine.place_if_it_pays(rows) is rows

    monkeypatch.setattr(engine._backend, "has_own_memory", lambda device: True)
    placed = engine.place_if_it_pays(rows)
    assert not any(isinstance(array, np.ndarray) for array in placed)
    np.testing.assert_array_equal(to_numpy(placed.values), rows.values)

    def place(arrays):
        raise MemoryError

    monkeypatch.setattr(engine._backend, "memory_errors", (MemoryError,))
    monkeypatch.setattr(engine, "place", place)
    assert engine.place_if_it_pays(rows) is rows


def test_devices_with_memory_of_their_own():
    backend = _backends.current()
    assert not backend.has_own_memory("CPU:0")
    assert backend.has_own_memory("gpu:0")
    backend.devices = lambda: ["cpu:0", "gpu:0"]
    assert backend.has_own_memory(None)
    backend.devices = lambda: ["cpu:0", "cpu:1"]
    assert not backend.has_own_memory(None)


def test_mixed_precision_rounds_factors_and_nothing_else(no_programs):
    import keras

    rng, policy = np.random.default_rng(0), keras.config.dtype_policy()
    a, b, (c, *_) = rng.normal(size=(3, 30, 30)).astype(np.float32)
    found = to_numpy(_backends.current().bfloat16_affine(a, b, c))
    assert found.dtype == np.float32
    # Factors keep 8 bits; so does the product on some backends.
    error = np.abs(found - (a @ b + c))
    assert 1e-4 < error.max() < 2**-6 * np.max(np.abs(a) @ np.abs(b))

    rows, encoding = make_table()
    settings = replace(SETTINGS, max_iter=40)
    exact = train(rows, encoding, settings, seed=0)
    mixed = train(rows, encoding, replace(settings, mixed_precision=True), seed=0)

    assert len(no_programs) == 2
    assert mixed.loss_curve != exact.loss_curve
    np.testing.assert_allclose(mixed.loss_curve, exact.loss_curve, rtol=0.02, atol=0.02)
    assert {weight.dtype for weight in mixed.weights.values()} == {np.dtype("float32")}
    assert keras.config.dtype_policy() == policy


# Programs.


def test_tables_of_any_size_share_one_trace(no_programs, monkeypatch):
    only_on_tensorflow()
    made = []

    def spy(architecture, *arguments):
        made.append(architecture)
        return VAE(architecture, *arguments)

    monkeypatch.setattr(_engine, "VAE", spy)
    sizes = [(5, (2, 3), 40), (6, (2, 3), 40), (1, (4,), 90), (9, (1, 2, 5), 25)]
    for i, (n_numeric, n_levels, n_rows) in enumerate(sizes):
        settings = replace(
            SETTINGS,
            n_components=i + 1,
            hidden_layer_sizes=(4 + i,),
            batch_size=8 + i,
            early_stopping=True,  # so that the answering program runs, too
            validation_fraction=0.2,
            tol=-1.0,
        )
        trained = train(*make_table(n_numeric, n_levels, n_rows), settings, seed=0)
        assert trained.architecture.n_latent == i + 1
        assert len(trained.validation_scores) >= 2

    assert len(no_programs) == 1
    assert len(made) == 2  # one training and one answering program


def test_programs_do_not_know_how_many_rows_there_are(no_programs, monkeypatch):
    """Tables of one width and batch size train on one trace, on any backend."""
    traces, loss = [], VAE.loss

    def spy(*arguments):
        traces.append(arguments)
        return loss(*arguments)

    monkeypatch.setattr(VAE, "loss", spy)
    train(*make_table(n_rows=40), SETTINGS, seed=0)
    n_traces = len(traces)
    train(*make_table(n_rows=90), SETTINGS, seed=0)
    if _backends.current().name != "torch":  # which takes step by step
        assert len(traces) == n_traces


@pytest.mark.parametrize(("max_iter", "n_calls"), [(4, 2), (60, 3), (400, 13)])
def test_a_fit_takes_few_compiled_calls(monkeypatch, max_iter, n_calls):
    """Each call takes about 100 steps, or what is left; 3 steps are an epoch here."""
    calls, run = [], Engine.train

    def spy(engine, state, rows, layout, steps, beta):
        calls.append(len(steps.rows))
        return run(engine, state, rows, layout, steps, beta)

    monkeypatch.setattr(Engine, "train", spy)
    train(*make_table(), replace(SETTINGS, max_iter=max_iter), seed=0)
    assert sum(calls) == 3 * max_iter
    assert len(calls) == n_calls


def test_what_decides_a_trace_tells_programs_apart(no_programs):
    base = Architecture(4, 2, 3, 5, 2, (6,))
    other = [
        Architecture(4, 0, 0, 0, 2, (6,)),
        Architecture(0, 2, 3, 5, 2, (6,)),
        replace(base, hidden_layer_sizes=()),
        replace(base, hidden_layer_sizes=(6, 6)),
        replace(base, activation="tanh"),
        replace(base, n_bins=4),
    ]
    programs = {id(Engine(architecture)._programs) for architecture in [base, *other]}
    assert len(programs) == len(no_programs) == 7
    assert Engine(base)._programs is Engine(replace(base))._programs
    assert Engine(base, "cpu")._programs is not Engine(base)._programs


def test_sizes_come_back(table):
    """What a trace forgets of an architecture arrives with each call."""
    only_on_tensorflow()
    architecture = make_architecture(table[1], 3, (6, 5))
    forgotten = _engine._without_sizes(architecture)
    sizes = [int(size) for size in Engine(architecture)._sizes()]
    assert forgotten != architecture
    assert _engine._with_sizes(forgotten, sizes) == architecture


def test_shared_programs_keep_nothing_of_a_table():
    five, six = make_table(5), make_table(6, seed=1)
    alone = train(*five, SETTINGS, seed=0)
    train(*six, SETTINGS, seed=0)
    assert_same_bits(train(*five, SETTINGS, seed=0), alone)


def test_number_of_programs_is_bounded(no_programs):
    bins = range(1, _engine._MAX_PROGRAMS + 5)
    architectures = [Architecture(4, 0, 0, 0, 2, (6,), n_bins=n) for n in bins]
    used = Engine(architectures[0])._programs
    for architecture in architectures:
        Engine(architecture)
        assert Engine(architectures[0])._programs is used  # and so it stays
    assert len(no_programs) == _engine._MAX_PROGRAMS
    kept = [key[1].n_bins for key in no_programs]
    newest = list(bins)[-_engine._MAX_PROGRAMS + 1 :]
    assert sorted(kept) == [1, *newest]


def test_same_seed_same_bits():
    rows, encoding = make_table()
    first, second, other = (train(rows, encoding, SETTINGS, s) for s in (7, 7, 8))
    assert_same_bits(first, second)
    assert first.loss_curve != other.loss_curve


def test_two_threads_fit_one_shape_at_once(no_programs):
    tables = [make_table(seed=seed) for seed in (0, 1)]
    start = threading.Barrier(2)

    def fit(table):
        start.wait()  # both find the cache empty and compile
        return train(*table, SETTINGS, seed=0)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(fit, tables, timeout=300))

    assert len(no_programs) == 1
    for table, trained in zip(tables, together, strict=True):
        assert_same_bits(trained, train(*table, SETTINGS, seed=0))


def test_callback_may_fit_and_answer_in_the_middle_of_a_fit():
    rows, encoding = make_table()
    inner = []

    def on_check(check):
        trained = train(*make_table(seed=1), SETTINGS, seed=3)
        model = FittedVAE(trained.architecture, trained.weights, encoding.layout())
        inner.append(model.fill(rows).numbers)

    with ThreadPoolExecutor(1) as pool:  # so that a deadlock ends in a failure
        outer = pool.submit(train, rows, encoding, SETTINGS, 0, on_check).result(300)

    assert inner
    assert np.all(np.isfinite(inner))
    assert_same_bits(outer, train(rows, encoding, SETTINGS, 0))


def test_named_device():
    rows, encoding = make_table()
    named = train(rows, encoding, replace(SETTINGS, device="cpu"), seed=0)
    assert_same_bits(named, train(rows, encoding, SETTINGS, seed=0))


def test_backend_without_a_compiler_is_named(no_programs, monkeypatch):
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: "abacus")
    with pytest.raises(NotImplementedError, match=r"'abacus'.*expected one of"):
        Engine(make_architecture(make_table()[1]))
