"""Several networks around one core: what they say together, from what each says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

from vaeimpute import VAEImputer, _numpy_ops
from vaeimpute._columns import Column
from vaeimpute._conditional import FittedVAE
from vaeimpute._encoding import Encoding
from vaeimpute._training import Settings, train
from vaeimpute._vae import VAE, Architecture, Batch, initial_weights

NO_FLOOR = np.full(3, -np.inf)


@pytest.fixture(scope="module")
def encoded():
    """Three numeric and two nominal columns with gaps."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(n, size=80) for n in (2, 4)]
    values = np.column_stack([*rng.normal(size=(3, 80)), *codes])
    values = np.where(rng.random(values.shape) < 0.3, np.nan, values)
    columns = [Column(f"x{j}", "numeric", "float64") for j in range(3)]
    columns += [Column(f"c{n}", "nominal", "str", tuple(range(n))) for n in (2, 4)]
    encoding = Encoding.fit(values, columns)
    return encoding, encoding.encode(values)


@pytest.fixture(scope="module")
def networks(encoded):
    """A mixture of two, and each of the two alone."""
    encoding, rows = encoded
    layout = encoding.layout()
    sizes = Architecture(
        3, 2, layout.contrast.shape[1], 6, 2, (6, 5), n_bins=32, n_networks=2
    )
    rng = np.random.default_rng(1)
    weights = {
        name: rng.normal(size=shape).astype(np.float32) * np.float32(0.5)
        for name, shape in sizes.weight_shapes().items()
    }
    single = replace(sizes, n_networks=1)
    each = [
        FittedVAE(
            single,
            {
                name: weight[k] if weight.shape != shape else weight
                for (name, weight), shape in zip(
                    weights.items(), single.weight_shapes().values(), strict=True
                )
            },
            layout,
        )
        for k in range(2)
    ]
    return FittedVAE(sizes, weights, layout), each, rows


def test_fillings_are_means_and_spread_by_what_they_differ(networks):
    mixture, each, rows = networks
    whole = mixture.fill(rows)
    one, two = (model.fill(rows) for model in each)
    np.testing.assert_allclose(whole.numbers, (one.numbers + two.numbers) / 2)
    probability = (np.exp(one.log_levels) + np.exp(two.log_levels)) / 2
    np.testing.assert_allclose(np.exp(whole.log_levels), probability)
    between = ((one.numbers - two.numbers) / 2) ** 2
    within = (one.variance + two.variance) / 2
    np.testing.assert_allclose(whole.variance, within + between)
    assert between.max() > 0.1


def test_density_is_that_of_the_mixture(networks):
    mixture, each, rows = networks
    parts = [model.log_density(rows, NO_FLOOR) for model in each]
    expected = logsumexp(parts, axis=0) - np.log(2)
    some = rows.observed.any(axis=1)
    density = mixture.log_density(rows, NO_FLOOR)
    np.testing.assert_allclose(density[some], expected[some])
    assert (density[~some] == 0.0).all()


def test_each_drawn_row_comes_from_one_network(networks):
    mixture, *_ = networks
    shifted = {name: weight.copy() for name, weight in mixture.weights.items()}
    shifted["decoder.output.bias"][0, :3] += 1_000.0
    numbers, _ = replace(mixture, weights=shifted).sample(
        4_000, np.random.default_rng(0)
    )
    far = numbers > 500.0
    assert (far.all(axis=1) | ~far.any(axis=1)).all()
    assert far[:, 0].mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("namespace", ["numpy", "keras"])
def test_loss_is_the_mean_of_the_losses(networks, namespace):
    import keras

    ops = _numpy_ops if namespace == "numpy" else keras.ops
    mixture, each, rows = networks
    rng = np.random.default_rng(2)
    batch = Batch(
        rows.values,
        rows.observed,
        np.full((80, 1), 0.4, np.float32),
        rng.random(rows.values.shape, np.float32),
        rng.standard_normal((80, 2), np.float32),
    )
    losses = [
        float(
            VAE(model.architecture, ops).loss(model.weights, model.layout, batch, 1.0)
        )
        for model in (mixture, *each)
    ]
    assert losses[0] == pytest.approx(np.mean(losses[1:]), rel=1e-4)
    assert losses[1] != pytest.approx(losses[2], rel=1e-2)


def test_networks_start_apart_and_add_nothing(networks, encoded):
    mixture, _, rows = networks
    sizes = mixture.architecture
    core = {x: w for x, w in mixture.weights.items() if x.startswith("core")}
    core["decoder.log_noise"] = mixture.weights["decoder.log_noise"]
    weights = initial_weights(sizes, core, np.random.default_rng(0))
    one, two = weights["encoder.input.kernel"]
    assert np.all(one != two)
    # He's spread depends on the inputs, not on the number of networks.
    assert one.std() == pytest.approx(1 / np.sqrt(len(one)), rel=0.15)
    bare = FittedVAE(replace(sizes, hidden_layer_sizes=()), core, mixture.layout)
    started = FittedVAE(sizes, weights, mixture.layout)
    for array, expected in zip(started.fill(rows), bare.fill(rows), strict=True):
        np.testing.assert_allclose(array, expected, atol=1e-12)


def test_without_networks_there_is_nothing_to_mix(networks):
    mixture, *_ = networks
    sizes = replace(mixture.architecture, hidden_layer_sizes=())
    both, one = (
        FittedVAE(
            replace(sizes, n_networks=n),
            {name: mixture.weights[name] for name in sizes.weight_shapes()},
            mixture.layout,
        ).sample(50, np.random.default_rng(0))
        for n in (2, 1)
    )
    for array, expected in zip(both, one, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_training_moves_every_network_its_own_way(encoded):
    encoding, rows = encoded
    settings = Settings(
        n_components=2,
        hidden_layer_sizes=(8,),
        n_networks=3,
        max_iter=10,
        early_stopping=False,
    )
    trained = train(rows, encoding, settings, seed=0)
    assert trained.architecture.n_networks == 3
    outputs = trained.weights["decoder.output.kernel"]
    assert outputs.shape[0] == 3
    for k in range(3):
        assert np.abs(outputs[k]).max() > 0.0
        assert np.abs(outputs[k] - outputs[k - 1]).max() > 1e-4


def test_an_imputer_takes_the_number_of_networks():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[::3, 0] = np.nan
    imputer = VAEImputer(
        n_networks=3, hidden_layer_sizes=(8,), max_iter=5, random_state=0
    )
    filled = imputer.fit_transform(X)
    np.testing.assert_array_equal(filled, imputer.transform(X))
    assert np.isfinite(imputer.score(X))
    assert imputer.sample(5, random_state=0).shape == (5, 3)
