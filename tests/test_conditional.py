"""Answers of a fitted model: to the bit, by quadrature, and in several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm
from threadpoolctl import ThreadpoolController

from vaeimpute import _conditional, _importance, _numpy_ops
from vaeimpute._columns import Column
from vaeimpute._conditional import FittedVAE
from vaeimpute._encoding import Encoding, Rows
from vaeimpute._latent_posterior import draw_latent, kl_to_prior
from vaeimpute._vae import VAE, Architecture


def make_model(n_latent=3, hidden=(8,), n_rows=150, n_networks=1):
    """Return a model with random weights and incomplete rows of mixed columns."""
    rng = np.random.default_rng(0)
    codes = [
        rng.choice(n, p=np.arange(1, n + 1) / (n * (n + 1) / 2), size=n_rows)
        for n in (2, 4)
    ]
    values = np.column_stack([*rng.normal(size=(4, n_rows)), *codes])
    values[rng.random(values.shape) < 0.3] = np.nan
    numeric = [Column(f"x{j}", "numeric", "float64") for j in range(4)]
    nominal = [Column(f"c{n}", "nominal", "str", tuple(range(n))) for n in (2, 4)]
    encoding = Encoding.fit(values, (*numeric, *nominal))
    layout = encoding.layout()
    n_scores = layout.contrast.shape[1]
    architecture = Architecture(
        4, 2, n_scores, 6, n_latent, hidden, n_networks=n_networks
    )
    weights = {
        name: (0.2 * rng.normal(size=shape)).astype(np.float32)
        for name, shape in architecture.weight_shapes().items()
    }
    weights["core.loadings"] *= 4
    return FittedVAE(architecture, weights, layout), encoding.encode(values)


NO_FLOOR = np.full(4, -np.inf)


@pytest.fixture(scope="module")
def fitted():
    return make_model()


def take(rows, at):
    return Rows(rows.values[at], rows.observed[at])


def answers(model, rows):
    guess = model.fill(rows, with_variance=False)
    return (*model.fill(rows), *guess, model.log_density(rows, NO_FLOOR))


# Pooled fillings.


def test_fillings_are_pooled_with_those_of_the_core(fitted):
    model, rows = fitted
    core = make_model(hidden=())[0]
    share = np.array([0.0, 0.25, 0.5, 1.0, 0.25, 1.0])
    pooled = replace(model, core=core, network_share=share).fill(rows)
    own, cores = model.fill(rows), core.fill(rows)

    numbers = (1 - share[:4]) * cores.numbers + share[:4] * own.numbers
    np.testing.assert_allclose(pooled.numbers, numbers)
    level_share = np.array([0.25] * 2 + [1.0] * 4)
    levels = (1 - level_share) * np.exp(cores.log_levels)
    levels = levels + level_share * np.exp(own.log_levels)
    np.testing.assert_allclose(np.exp(pooled.log_levels), levels)


@pytest.mark.parametrize("n_networks", [1, 2])
@pytest.mark.parametrize("hidden", [(8,), ()], ids=["networks", "core"])
def test_guesses_are_the_same_without_their_variance(hidden, n_networks):
    model, rows = make_model(hidden=hidden, n_networks=n_networks)
    guess, filling = model.fill(rows, with_variance=False), model.fill(rows)
    np.testing.assert_allclose(guess.numbers, filling.numbers, atol=1e-5)
    np.testing.assert_allclose(guess.log_levels, filling.log_levels, atol=1e-5)
    assert np.all(filling.variance > 0)


# Answers to the bit.


@pytest.mark.parametrize(
    "at",
    [
        np.array([149]),
        np.arange(149, -1, -1),
        np.array([5, 5, 5]),
        np.arange(60, 140),
        np.random.default_rng(0).permutation(150)[:65],
    ],
    ids=["one row", "reversed", "repeated", "some rows", "shuffled"],
)
def test_answers_do_not_depend_on_the_rows_beside(fitted, at):
    model, rows = fitted
    for part, whole in zip(
        answers(model, take(rows, at)), answers(model, rows), strict=True
    ):
        np.testing.assert_array_equal(part, whole[at])


def test_answers_ignore_contents_of_unobserved_cells(fitted):
    model, rows = fitted
    other = Rows(np.where(rows.observed, rows.values, 1e6), rows.observed)
    for one, another in zip(answers(model, rows), answers(model, other), strict=True):
        np.testing.assert_array_equal(one, another)


def test_no_rows_have_no_answers(fitted):
    model, rows = fitted
    numbers, _, log_levels, *_, density = answers(model, take(rows, slice(0, 0)))
    assert numbers.shape == (0, 4)
    assert log_levels.shape == (0, 6)
    assert density.shape == (0,)


def test_answers_leave_the_model_as_it_was(fitted):
    model, rows = fitted
    before = {name: weight.copy() for name, weight in model.weights.items()}
    model.log_density(rows, np.full(4, 3.0))
    answers(model, rows)
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(weight, before[name])


# Densities.


def quadrature(model, rows):
    """Return log p(observed cells) of a model with one latent, on a grid of z."""
    grid = np.linspace(-8, 8, 1601)
    plain = VAE(model.architecture, _numpy_ops)
    weights = {name: weight.astype(float) for name, weight in model.weights.items()}
    cells = plain.cells(model.layout, rows.values, rows.observed)
    log_joint = []
    for z in grid:
        latent = np.full((len(rows.values), 1), z)
        decoded = plain.decode(weights, model.layout, latent)
        cell = plain.log_likelihood(weights, model.layout, cells, decoded)
        log_joint.append(cell.sum(axis=1) + norm.logpdf(z))
    return logsumexp(log_joint, axis=0) + np.log(grid[1] - grid[0])


@pytest.mark.parametrize("hidden", [(), (8,)], ids=["core", "networks"])
def test_density_tends_to_the_integral_over_the_latent(hidden, monkeypatch):
    model, rows = make_model(n_latent=1, hidden=hidden)
    rows = take(rows, np.flatnonzero(rows.observed.any(axis=1))[:40])
    for name in model.weights:
        if name.startswith(("encoder.mean", "encoder.log_scale", "decoder.output")):
            model.weights[name] *= 0.3  # not too far from the core's posterior
    exact = quadrature(model, rows)

    errors = []
    for n_draws in (64, 4_096):
        monkeypatch.setattr(_importance, "_DENSITY_DRAWS", n_draws)
        errors.append(model.log_density(rows, NO_FLOOR) - exact)

    assert np.abs(errors[1]).max() < 0.15
    assert abs(errors[1].mean()) < 0.03
    assert np.square(errors[1]).mean() < np.square(errors[0]).mean()


def test_density_is_no_lower_than_the_evidence_bound(fitted):
    model, rows = fitted
    plain = VAE(model.architecture, _numpy_ops)
    weights = {name: weight.astype(float) for name, weight in model.weights.items()}
    cells = plain.cells(model.layout, rows.values, rows.observed)
    posterior = plain.encode(weights, model.layout, cells)
    evidence = []
    for noise in _importance.density_noise(3):
        latent = draw_latent(_numpy_ops, posterior, np.tile(noise, (150, 1)))
        decoded = plain.decode(weights, model.layout, latent)
        cell = plain.log_likelihood(weights, model.layout, cells, decoded)
        evidence.append(cell.sum(axis=1))
    bound = np.mean(evidence, axis=0) - kl_to_prior(_numpy_ops, posterior)

    density = model.log_density(rows, NO_FLOOR)

    assert bound.mean() < density.mean()
    assert np.mean(bound < density + 0.05) > 0.95


def test_draws_of_wide_tables_are_weighed_in_pieces(fitted, monkeypatch):
    model, rows = fitted
    at_once = model.log_density(rows, NO_FLOOR)
    monkeypatch.setattr(_conditional, "_MAX_OUTPUTS", 1_000)
    np.testing.assert_allclose(model.log_density(rows, NO_FLOOR), at_once, rtol=1e-12)


def test_nothing_observed_has_density_one(fitted):
    model, rows = fitted
    nothing = Rows(rows.values, np.zeros_like(rows.observed))
    np.testing.assert_array_equal(model.log_density(nothing, NO_FLOOR), 0.0)


def test_noise_is_never_below_its_floor(fitted):
    model, rows = fitted
    floor = np.array([-5.0, 2.0, -np.inf, 1.0])
    raised = np.maximum(model.weights["decoder.log_noise"], floor).astype(np.float32)
    other = FittedVAE(
        model.architecture, model.weights | {"decoder.log_noise": raised}, model.layout
    )
    np.testing.assert_array_equal(
        model.log_density(rows, floor), other.log_density(rows, NO_FLOOR)
    )
    assert np.any(model.log_density(rows, floor) != model.log_density(rows, NO_FLOOR))


def test_density_under_a_floor_is_near_the_closed_form():
    """The core's posterior does not know the floor: its draws have to be weighed."""
    rng = np.random.default_rng(0)
    weights = {
        "core.mean": np.zeros(4),
        "core.loadings": rng.normal(size=(4, 2)),
        "core.log_noise": np.full(4, np.log(0.2)),
        "decoder.log_noise": np.full(4, np.log(0.2)),
    }
    values = rng.normal(size=(100, 4))
    columns = [Column(f"x{j}", "numeric", "float64") for j in range(4)]
    layout = Encoding.fit(values, tuple(columns)).layout()
    model = FittedVAE(Architecture(4, 0, 0, 0, 2, ()), weights, layout)
    density = model.log_density(
        Rows(values, np.ones(values.shape, bool)), np.full(4, np.log(0.3))
    )
    loadings = weights["core.loadings"]
    covariance = loadings @ loadings.T + 0.3 * np.eye(4)
    exact = multivariate_normal(np.zeros(4), covariance).logpdf(values)
    assert np.abs(density - exact).max() < 0.2


def test_density_noise_is_standard_and_fixed():
    noise = _importance.density_noise(5)
    assert noise.shape == (_importance._DENSITY_DRAWS, 1, 5)
    np.testing.assert_array_equal(noise, _importance.density_noise(5))
    np.testing.assert_allclose(noise.sum(axis=0), 0.0, atol=1e-12)


# New rows.


def test_drawn_numbers_have_the_models_moments():
    model, _ = make_model(hidden=())
    numbers, _ = model.sample(40_000, np.random.default_rng(0))
    weights = model.weights
    loadings = weights["core.loadings"][:4]
    covariance = loadings @ loadings.T + np.diag(np.exp(weights["decoder.log_noise"]))
    np.testing.assert_allclose(
        numbers.mean(axis=0), weights["core.mean"][:4], atol=0.03
    )
    np.testing.assert_allclose(np.cov(numbers, rowvar=False), covariance, atol=0.06)


def test_drawn_levels_have_the_shares():
    model, _ = make_model(hidden=())
    flat = {name: np.zeros_like(weight) for name, weight in model.weights.items()}
    model = FittedVAE(model.architecture, flat, model.layout)
    _, log_levels = model.sample(40_000, np.random.default_rng(0))
    for block in (slice(0, 2), slice(2, 6)):
        drawn = np.bincount(log_levels[:, block].argmax(axis=1)) / 40_000
        share = np.exp(model.layout.log_share[block])
        np.testing.assert_allclose(drawn, share, atol=0.015)


def test_same_generator_same_rows(fitted):
    model, _ = fitted
    first, second, other = (
        model.sample(7, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    for one, another in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, another)
    assert np.all(first[0] != other[0])


# Threads.


def blas_threads():
    pools = ThreadpoolController().select(user_api="blas").info()
    return {pool["num_threads"] for pool in pools}


def set_blas_threads(limit):
    # In a thread that ends: threadpoolctl leaves OpenBLAS to one thread at a time.
    setter = threading.Thread(
        target=ThreadpoolController().limit,
        kwargs={"limits": limit, "user_api": "blas"},
    )
    setter.start()
    setter.join()


@pytest.fixture
def several_blas_threads():
    given = blas_threads()
    set_blas_threads(2)
    before = blas_threads()
    if before == {1}:
        pytest.skip("this BLAS has one thread")
    yield
    after = blas_threads()
    set_blas_threads(max(given))
    assert after == before


@pytest.mark.usefixtures("several_blas_threads")
def test_several_threads_answer_at_once(fitted):
    model, rows = fitted
    expected = answers(model, rows)
    start = threading.Barrier(4)

    def answer(_):
        start.wait()
        return [answers(model, rows) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, range(4), timeout=300))

    for answered in [each for several in found for each in several]:
        for array, other in zip(answered, expected, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.usefixtures("several_blas_threads")
def test_blas_threads_come_back_after_answers_that_overlap(fitted, monkeypatch):
    """The answer that begins first ends first: the second must restore the limit."""
    model, rows = fitted
    padded, seen = _conditional._padded, []
    second_begins, first_has_ended = threading.Event(), threading.Event()

    def answer_second():
        model.fill(take(rows, slice(0, 100)))

    second = threading.Thread(target=answer_second)

    def overlapping(array, block):
        if array.dtype != bool and block.start == 0:
            if len(array) == 100:
                second_begins.set()
                first_has_ended.wait(60)
            else:
                second.start()
                # Half a second is for an implementation in which answers take turns.
                second_begins.wait(0.5)
        if array.dtype != bool:
            seen.append(blas_threads())
        return padded(array, block)

    monkeypatch.setattr(_conditional, "_padded", overlapping)
    model.fill(take(rows, slice(0, 10)))
    first_has_ended.set()
    second.join(60)

    assert not second.is_alive()
    assert seen == [{1}] * 3


@pytest.mark.usefixtures("several_blas_threads")
def test_blas_threads_come_back_after_an_error(fitted):
    model, rows = fitted
    with pytest.raises((IndexError, ValueError)):
        model.fill(Rows(rows.values[:, :2], rows.observed[:, :2]))
