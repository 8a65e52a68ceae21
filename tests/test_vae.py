"""The model's formulas against closed forms, in NumPy and in ``keras.ops``."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from vaeimpute import _backends, _numpy_ops, _vae
from vaeimpute._columns import Column
from vaeimpute._encoding import Encoding, Layout, Rows
from vaeimpute._latent_posterior import draw_latent, kl_between, kl_to_prior
from vaeimpute._vae import VAE, Architecture, Batch, initial_weights


class Case(NamedTuple):
    """A model with random weights and a small table."""

    architecture: Architecture
    layout: Layout
    weights: dict
    rows: Rows


def make_case(n_numeric=3, n_levels=(2, 4), hidden=(6, 5), n_rows=24, **architecture):
    rng = np.random.default_rng(0)
    codes = [rng.integers(n, size=n_rows) for n in n_levels]
    values = np.column_stack([*rng.normal(size=(n_numeric, n_rows)), *codes])
    values = np.where(rng.random(values.shape) < 0.3, np.nan, values)
    numeric = [Column(f"x{j}", "numeric", "float64") for j in range(n_numeric)]
    nominal = [Column(f"c{n}", "nominal", "str", tuple(range(n))) for n in n_levels]
    encoding = Encoding.fit(values, (*numeric, *nominal))
    layout = encoding.layout()
    sizes = Architecture(
        n_numeric,
        len(n_levels),
        layout.contrast.shape[1],
        sum(n_levels),
        architecture.pop("n_latent", 3),
        hidden,
        n_bins=layout.edges.shape[1] - 1,
        **architecture,
    )
    weights = {
        name: (0.3 * rng.normal(size=shape)).astype(np.float32)
        for name, shape in sizes.weight_shapes().items()
    }
    weights["core.loadings"] *= 2
    return Case(sizes, layout, weights, encoding.encode(values))


def make_batch(case, rate=0.4):
    rng = np.random.default_rng(1)
    shape = case.rows.values.shape
    return Batch(
        case.rows.values,
        case.rows.observed,
        np.full((shape[0], 1), rate, np.float32),
        rng.random(shape, np.float32),
        rng.standard_normal((shape[0], case.architecture.n_latent), np.float32),
    )


def double(arrays):
    """Return a dict or named tuple of arrays in double precision."""
    if isinstance(arrays, dict):
        return {name: np.asarray(array, float) for name, array in arrays.items()}
    return type(arrays)(
        *(
            a.astype(float) if a.dtype.kind == "f" else a
            for a in map(np.asarray, arrays)
        )
    )


def gradient(objective, weights):
    """Return the backend's gradient of a function of a dict of weights."""
    from keras import ops

    tensors = {name: ops.convert_to_tensor(weight) for name, weight in weights.items()}
    _, found = _backends.current().value_and_gradient(objective, tensors)
    return {
        name: np.zeros_like(weight) if found[name] is None else np.asarray(found[name])
        for name, weight in weights.items()
    }


def slope(objective, weights, name, direction, step=1e-5):
    """Return the finite-difference slope of a NumPy objective in one direction."""
    weights = double(weights)

    def at(distance):
        return objective(weights | {name: weights[name] + distance * direction})

    return (at(step) - at(-step)) / (2 * step)


def assert_slopes_agree(keras_objective, numpy_objective, weights, names):
    found = gradient(keras_objective, weights)
    rng = np.random.default_rng(2)
    for name in names:
        direction = rng.normal(size=weights[name].shape)
        expected = slope(numpy_objective, weights, name, direction)
        scale = np.linalg.norm(found[name]) * np.linalg.norm(direction)
        assert scale > 0, name
        assert np.sum(found[name] * direction) == pytest.approx(
            expected, abs=1e-3 * scale
        ), name


def encode(case, ops=_numpy_ops, rows=None, weights=None):
    model, rows = VAE(case.architecture, ops), rows or case.rows
    cells = model.cells(case.layout, rows.values, rows.observed)
    weights = case.weights if weights is None else weights
    return cells, model.encode(weights, case.layout, cells)


def log_likelihood_of_draw(case, weights, noise, ops):
    """Return log p(x | z) of each cell at a draw of z, and the posterior."""
    model = VAE(case.architecture, ops)
    cells = model.cells(case.layout, case.rows.values, case.rows.observed)
    posterior = model.encode(weights, case.layout, cells)
    decoded = model.decode(weights, case.layout, draw_latent(ops, posterior, noise))
    return model.log_likelihood(weights, case.layout, cells, decoded), posterior


def bound(case, weights, noise, beta, ops):
    """Return the mean evidence bound per row."""
    cell, posterior = log_likelihood_of_draw(case, weights, noise, ops)
    return ops.mean(ops.sum(cell, 1) - beta * kl_to_prior(ops, posterior))


@pytest.fixture(scope="module", params=["mixed", "numeric", "nominal"])
def case(request):
    sizes = {"mixed": {}, "numeric": {"n_levels": ()}, "nominal": {"n_numeric": 0}}
    return make_case(**sizes[request.param])


@pytest.fixture(scope="module")
def mixed():
    return make_case()


@pytest.fixture(params=["numpy", "keras"])
def ops(request):
    if request.param == "numpy":
        return _numpy_ops
    import keras

    return keras.ops


# Rows as the core sees them.


def test_cells_hold_numbers_and_scores_of_observed_levels(mixed, ops):
    model, (values, observed) = VAE(mixed.architecture, ops), mixed.rows

    cells = double(model.cells(mixed.layout, values, observed))

    np.testing.assert_array_equal(cells.observed, observed)
    np.testing.assert_array_equal(cells.values[:, :3], values[:, :3] * observed[:, :3])
    codes = values[:, 3:].astype(int) + np.array([0, 2])
    expected = mixed.layout.contrast[codes] * observed[:, 3:, None]
    np.testing.assert_allclose(cells.values[:, 3:], expected.sum(axis=1), rtol=1e-6)
    n_values = [1, 1, 1, *mixed.layout.score_membership.sum(axis=1).astype(int)]
    present = np.repeat(observed, n_values, axis=1)
    np.testing.assert_array_equal(cells.present, present)
    held = np.zeros((len(values), 6))
    np.put_along_axis(held, codes, observed[:, 3:], axis=1)
    np.testing.assert_array_equal(cells.indicators, held)


@pytest.mark.parametrize("content", [1e30, -7.5])
def test_contents_of_unobserved_cells_change_nothing(case, content):
    from keras import ops

    model, batch = VAE(case.architecture, ops), make_batch(case)
    other = np.where(batch.observed, batch.values, np.float32(content))

    def loss_and_gradient(batch):
        def objective(weights):
            return model.loss(weights, case.layout, batch, 1.0)

        return float(objective(case.weights)), gradient(objective, case.weights)

    loss, slopes = loss_and_gradient(batch)
    other_loss, other_slopes = loss_and_gradient(batch._replace(values=other))

    assert np.isfinite(loss)
    assert loss == other_loss
    for name, found in slopes.items():
        np.testing.assert_array_equal(found, other_slopes[name], err_msg=name)


def test_unobserved_cells_have_no_gradient(case):
    from keras import ops

    model, batch = VAE(case.architecture, ops), make_batch(case)

    def objective(given):
        cells = batch._replace(values=given["values"])
        return model.loss(case.weights, case.layout, cells, 1.0)

    found = gradient(objective, {"values": batch.values})["values"]

    n_numeric = case.architecture.n_numeric
    assert np.all(found[~batch.observed] == 0.0)
    # A code only selects: it has no slope either.
    assert np.all(found[:, :n_numeric][batch.observed[:, :n_numeric]] != 0.0)
    assert np.all(found[:, n_numeric:] == 0.0)


# The posterior.


def test_core_posterior_is_the_closed_form(ops):
    case = make_case(hidden=())
    cells, posterior = encode(case, ops)
    cells, posterior = double(cells), double(posterior)
    weights = double(case.weights)

    loadings = weights["core.loadings"]
    for i, present in enumerate(cells.present):
        scaled = loadings.T * (present * np.exp(-weights["core.log_noise"]))
        precision = np.eye(3) + scaled @ loadings
        mean = np.linalg.solve(
            precision, scaled @ (cells.values[i] - weights["core.mean"])
        )
        np.testing.assert_allclose(posterior.precision[i], precision, atol=1e-4)
        np.testing.assert_allclose(posterior.mean[i], mean, atol=1e-5)
        np.testing.assert_allclose(posterior.fill[i], mean, atol=1e-5)
        factor, whitening = posterior.factor[i], posterior.whitening[i]
        np.testing.assert_allclose(factor @ factor.T, precision, atol=1e-4)
        inverse = np.linalg.inv(precision)
        np.testing.assert_allclose(whitening.T @ whitening, inverse, atol=1e-5)
        np.testing.assert_allclose(posterior.covariance[i], inverse, atol=1e-5)
    np.testing.assert_array_equal(posterior.log_scale, 0.0)


def test_nothing_observed_gives_the_prior(ops):
    case = make_case(hidden=())
    nothing = Rows(case.rows.values, np.zeros_like(case.rows.observed))
    _, posterior = encode(case, ops, rows=nothing)
    posterior = double(posterior)
    np.testing.assert_array_equal(posterior.mean, 0.0)
    np.testing.assert_array_equal(posterior.log_scale, 0.0)
    np.testing.assert_array_equal(posterior.covariance, [np.eye(3)] * 24)


@pytest.mark.parametrize("name", ["core.loadings", "core.log_noise", "core.mean"])
def test_gradient_of_the_posterior_mean_is_exact(mixed, name):
    from keras import ops

    case = make_case(hidden=())
    direction = np.random.default_rng(3).normal(size=(24, 3))

    def objective(weights, ops):
        _, posterior = encode(case, ops, weights=weights)
        return ops.sum(posterior.mean * ops.cast(direction, "float32"))

    assert_slopes_agree(
        lambda weights: objective(weights, ops),
        lambda weights: objective(weights, _numpy_ops),
        case.weights,
        [name],
    )


# The likelihood and the bound.


def test_log_likelihood_of_each_cell(mixed, ops):
    noise = make_batch(mixed).noise
    found, posterior = log_likelihood_of_draw(mixed, mixed.weights, noise, ops)
    model, (values, observed) = VAE(mixed.architecture, ops), mixed.rows
    latent = draw_latent(ops, posterior, noise)
    decoded = model.decode(mixed.weights, mixed.layout, latent)

    spread = np.exp(0.5 * mixed.weights["decoder.log_noise"])
    numbers = norm.logpdf(values[:, :3], np.asarray(decoded.numbers), spread)
    log_levels = np.asarray(model.log_levels(mixed.layout, decoded))
    codes = values[:, 3:].astype(int) + np.array([0, 2])
    levels = np.take_along_axis(log_levels, codes, axis=1)
    expected = np.where(observed, np.hstack([numbers, levels]), 0.0)
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-4)
    assert np.all(np.asarray(found)[~observed] == 0.0)


def test_bound_is_tight_without_networks():
    case = make_case(n_levels=(), hidden=())
    weights = case.weights | {"decoder.log_noise": case.weights["core.log_noise"]}
    # Averages over these draws are exact for what is quadratic in the noise.
    nodes = np.sqrt(3) * np.vstack([np.eye(3), -np.eye(3)])
    bounds = []
    for node in nodes:
        noise = np.tile(node, (24, 1))
        cell, posterior = log_likelihood_of_draw(case, weights, noise, _numpy_ops)
        bounds.append(cell.sum(axis=1) - kl_to_prior(_numpy_ops, posterior))

    weights = double(weights)
    loadings, mean = weights["core.loadings"], weights["core.mean"]
    covariance = loadings @ loadings.T + np.diag(np.exp(weights["core.log_noise"]))
    for row, at, found in zip(*case.rows, np.mean(bounds, axis=0), strict=True):
        expected = 0.0
        if at.any():
            normal = multivariate_normal(mean[at], covariance[np.ix_(at, at)])
            expected = normal.logpdf(row[at])
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_gradients_reach_the_encoder_through_the_sample(case, beta):
    from keras import ops

    noise = make_batch(case).noise
    # With beta = 0 the encoder is reached by way of the sample only.
    names = [
        name
        for name in case.weights
        if name.startswith(("encoder", "decoder")) and "fill" not in name
    ]
    if not case.architecture.n_numeric:
        names.remove("decoder.log_noise")
    assert_slopes_agree(
        lambda weights: bound(case, weights, noise, beta, ops),
        lambda weights: bound(case, weights, noise, beta, _numpy_ops),
        case.weights,
        names,
    )


def test_gradient_of_the_cells_likelihood_reaches_the_core(mixed):
    from keras import ops

    found = gradient(
        lambda weights: bound(mixed, weights, make_batch(mixed).noise, 1.0, ops),
        mixed.weights,
    )
    for name in ("core.mean", "core.loadings", "core.log_noise"):
        assert np.all(np.isfinite(found[name]))
        assert np.any(found[name] != 0.0)


# The loss.


def test_loss_without_hidden_cells_is_the_bound(case, monkeypatch):
    from keras import ops

    monkeypatch.setattr(_vae, "_HIDDEN_NUMBER_WEIGHT", 0.0)
    monkeypatch.setattr(_vae, "_HIDDEN_LEVEL_WEIGHT", 0.0)
    model, batch = VAE(case.architecture, ops), make_batch(case, rate=0.0)

    loss = float(model.loss(case.weights, case.layout, batch, 0.7))

    expected = -float(bound(case, case.weights, batch.noise, 0.7, ops))
    assert loss == pytest.approx(expected / case.architecture.n_columns, rel=1e-5)


def test_matching_moves_the_posterior_of_the_shown_cells_alone(case, monkeypatch):
    from keras import ops

    monkeypatch.setattr(_vae, "_HIDDEN_NUMBER_WEIGHT", 0.0)
    monkeypatch.setattr(_vae, "_HIDDEN_LEVEL_WEIGHT", 0.0)
    batch, n_columns = make_batch(case), case.architecture.n_columns
    shown = Rows(batch.values, batch.observed & (batch.hide >= batch.rate))
    target = double(encode(case)[1])

    def matching_in_keras(weights):
        loss = VAE(case.architecture, ops).loss(weights, case.layout, batch, 1.0)
        return loss + bound(case, weights, batch.noise, 1.0, ops) / n_columns

    def matching_to_fixed_target(weights):
        _, posterior = encode(case, rows=shown, weights=weights)
        return np.mean(kl_between(_numpy_ops, target, posterior)) / n_columns

    names = [
        name
        for name in case.weights
        if name.startswith("encoder") and not name.startswith("encoder.fill")
    ]
    assert_slopes_agree(
        matching_in_keras, matching_to_fixed_target, case.weights, names
    )


def test_rows_without_noise_have_the_hidden_cell_term_alone(case, ops, monkeypatch):
    model, batch = VAE(case.architecture, ops), make_batch(case)
    half = len(batch.values) // 2
    some = batch._replace(noise=batch.noise[:half])

    def losses():
        first = Batch(*(array[:half] for array in batch))
        return np.array(
            [
                model.loss(case.weights, case.layout, one, 0.7)
                for one in (batch, some, first)
            ]
        )

    with_hidden_cells = losses()
    monkeypatch.setattr(_vae, "_HIDDEN_NUMBER_WEIGHT", 0.0)
    monkeypatch.setattr(_vae, "_HIDDEN_LEVEL_WEIGHT", 0.0)
    bounds = losses()

    assert bounds[1] == pytest.approx(bounds[2], rel=1e-5)  # of the first rows
    assert bounds[1] != pytest.approx(bounds[0], rel=1e-3)
    hidden = with_hidden_cells - bounds
    assert hidden[1] == pytest.approx(hidden[0], rel=1e-4)  # of all rows


@pytest.mark.parametrize(
    ("kind", "number_weight", "level_weight"),
    [({}, 32, 16), ({"is_bottleneck": True}, 1, 0.5)],
)
def test_loss_without_a_latent_is_that_of_each_cell_weighed_twice(
    ops, kind, number_weight, level_weight
):
    """Loadings of zero leave log-likelihoods, and the errors of hidden cells.

    Levels have their observed shares then, as the core's scores are zero.
    """
    case = make_case(hidden=(), **kind)
    layout, (values, observed) = case.layout, case.rows
    n_values = case.architecture.n_values
    mean = np.zeros(n_values, np.float32)
    mean[:3] = 0.5, -0.25, 0.1
    weights = case.weights | {
        "core.mean": mean,
        "core.loadings": np.zeros((n_values, 3), np.float32),
    }

    loss = VAE(case.architecture, ops).loss(weights, layout, make_batch(case), 1.0)

    numbers = values[:, :3]
    spread = np.exp(0.5 * weights["decoder.log_noise"])
    of_numbers = norm(mean[:3], spread).logpdf(numbers)
    of_numbers = -of_numbers + number_weight * (numbers - mean[:3]) ** 2
    places = values[:, 3:].astype(int) + np.array([0, 2])
    of_levels = -(1 + level_weight) * layout.log_share[places]
    each = np.concatenate([of_numbers, of_levels], axis=1)
    expected = np.where(observed, each, 0).sum(axis=1).mean() / 5
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_loss_agrees_in_both_namespaces(case):
    from keras import ops

    batch = make_batch(case)
    ours, theirs = (
        float(VAE(case.architecture, space).loss(case.weights, case.layout, batch, 1.0))
        for space in (_numpy_ops, ops)
    )
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_loss_of_rows_with_nothing_observed_is_zero_without_networks(ops):
    case = make_case(hidden=())
    batch = make_batch(case)
    batch = batch._replace(observed=np.zeros_like(batch.observed))
    loss = VAE(case.architecture, ops).loss(case.weights, case.layout, batch, 1.0)
    assert float(loss) == pytest.approx(0.0, abs=1e-6)


def test_filling_hidden_cells_leaves_the_distribution_alone(case, monkeypatch):
    from keras import ops

    model, batch = VAE(case.architecture, ops), make_batch(case)

    def slopes():
        return gradient(
            lambda weights: model.loss(weights, case.layout, batch, 1.0), case.weights
        )

    with_term = slopes()
    monkeypatch.setattr(_vae, "_HIDDEN_NUMBER_WEIGHT", 0.0)
    monkeypatch.setattr(_vae, "_HIDDEN_LEVEL_WEIGHT", 0.0)
    without_term = slopes()

    for name, found in without_term.items():
        if name.startswith("encoder.fill"):
            assert np.all(found == 0.0)
            assert np.any(with_term[name] != 0.0)
        elif not name.startswith(("encoder.input", "encoder.block")):
            np.testing.assert_allclose(with_term[name], found, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("size", [30.0, 1e4])
def test_outliers_keep_loss_and_gradient_finite(mixed, size):
    from keras import ops

    batch = make_batch(mixed)
    values = batch.values.copy()
    values[:, 0] *= size
    model, batch = VAE(mixed.architecture, ops), batch._replace(values=values)

    def objective(weights):
        return model.loss(weights, mixed.layout, batch, 1.0)

    assert np.isfinite(float(objective(mixed.weights)))
    for name, found in gradient(objective, mixed.weights).items():
        assert np.all(np.isfinite(found)), name


# The whole model.


@pytest.mark.parametrize("activation", ["silu", "gelu", "relu", "tanh"])
def test_reconstructions_agree_in_both_namespaces(activation):
    from keras import ops

    case = make_case(activation=activation)
    ours, theirs = (
        VAE(case.architecture, space).reconstruct(case.weights, case.layout, case.rows)
        for space in (_numpy_ops, ops)
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), atol=1e-4)


def test_fillings_are_decoded_from_the_point_for_them(case, ops):
    model = VAE(case.architecture, ops)
    _, posterior = encode(case, ops)
    decoded = model.decode(case.weights, case.layout, posterior.fill)

    numbers, log_levels = model.reconstruct(case.weights, case.layout, case.rows)

    np.testing.assert_allclose(numbers, decoded.numbers, atol=1e-4)
    expected = model.log_levels(case.layout, decoded)
    np.testing.assert_allclose(log_levels, expected, atol=1e-4)


def test_decoder_adds_to_numbers_and_to_logits(case, ops):
    model, sizes = VAE(case.architecture, ops), case.architecture
    rng = np.random.default_rng(3)
    latent = rng.normal(size=(5, sizes.n_latent)).astype(np.float32)
    bias = case.weights["decoder.output.bias"]
    change = np.arange(1, len(bias) + 1, dtype=np.float32)
    changed = case.weights | {"decoder.output.bias": bias + change}

    before = model.decode(case.weights, case.layout, latent)
    after = model.decode(changed, case.layout, latent)

    both = zip(np.split(change, [sizes.n_numeric]), before, after, strict=True)
    for expected, first, second in both:
        found = np.asarray(second) - np.asarray(first)
        np.testing.assert_allclose(found - expected, 0, atol=1e-4)


def test_core_predicts_shares_in_proportion_to_its_scores(ops):
    case = make_case(hidden=())
    model, layout = VAE(case.architecture, ops), case.layout
    mean = np.zeros(case.architecture.n_values, np.float32)
    mean[3:] = 0.1 * np.sin(np.arange(len(mean) - 3))
    origin = np.zeros((1, case.architecture.n_latent), np.float32)

    decoded = model.decode(case.weights | {"core.mean": mean}, layout, origin)

    lift = 1 + layout.contrast @ mean[3:]
    assert 0.7 < lift.min() < lift.max() < 1.3  # far from where it is bent
    found = np.exp(np.asarray(model.log_levels(layout, decoded)))
    np.testing.assert_allclose(found[0], np.exp(layout.log_share) * lift, rtol=5e-3)


def test_probabilities_of_each_columns_levels_sum_to_one(mixed, ops):
    model = VAE(mixed.architecture, ops)
    _, log_levels = model.reconstruct(mixed.weights, mixed.layout, mixed.rows)

    sums = np.exp(np.asarray(log_levels)) @ mixed.layout.membership
    np.testing.assert_allclose(sums, 1.0, atol=1e-5)


def test_numbers_are_encoded_piece_by_piece(ops):
    case = make_case(n_levels=())
    model, edges = VAE(case.architecture, ops), case.layout.edges
    low, high = edges[:, 0], edges[:, -1]
    inside = 0.75 * edges[:, 2] + 0.25 * edges[:, 3]
    values = np.array([low - 1, low, inside, high, high + 1, inside], np.float32)
    observed = np.arange(6)[:, None] < np.full(3, 5)

    cells = model.cells(case.layout, values, observed)
    shape = (6, 3, case.architecture.n_bins)
    found = np.reshape(np.asarray(model._bins(case.layout, cells)), shape)

    expected = np.zeros(shape)
    expected[2, :, :3] = 1.0, 1.0, 0.25
    expected[[3, 4]] = 1.0
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_networks_scale_deviations_by_e_squared_at_most(case, ops):
    bias = case.weights["encoder.log_scale.bias"]
    for sign in (-1, 1):
        extreme = case.weights | {"encoder.log_scale.bias": bias + sign * 1e3}
        _, posterior = encode(case, ops, weights=extreme)
        np.testing.assert_allclose(posterior.log_scale, sign * 2.0, atol=1e-5)


def test_starting_networks_add_exactly_zero(case, ops):
    architecture = case.architecture
    core = {name: w for name, w in case.weights.items() if name.startswith("core")}
    core["decoder.log_noise"] = case.weights["decoder.log_noise"]
    weights = initial_weights(architecture, core, np.random.default_rng(0))
    assert weights.keys() == architecture.weight_shapes().keys()
    assert all(w.shape == architecture.weight_shapes()[n] for n, w in weights.items())
    alone = Architecture(**vars(architecture) | {"hidden_layer_sizes": ()})

    whole, bare = (
        VAE(sizes, ops).reconstruct(weights, case.layout, case.rows)
        for sizes in (architecture, alone)
    )

    for array, expected in zip(whole, bare, strict=True):
        np.testing.assert_array_equal(np.asarray(array), np.asarray(expected))
    _, posterior = encode(case._replace(weights=weights), ops)
    np.testing.assert_array_equal(np.asarray(posterior.log_scale), 0.0)


def test_first_step_moves_the_networks(case):
    """Zero-started last layers must not stop the gradient for ever."""
    from keras import ops

    core = {name: w for name, w in case.weights.items() if name.startswith("core")}
    core["decoder.log_noise"] = case.weights["decoder.log_noise"]
    weights = initial_weights(case.architecture, core, np.random.default_rng(0))
    model, batch = VAE(case.architecture, ops), make_batch(case)

    found = gradient(
        lambda weights: model.loss(weights, case.layout, batch, 1.0), weights
    )

    for last in ("encoder.mean", "encoder.log_scale", "encoder.fill", "decoder.output"):
        assert np.any(found[f"{last}.kernel"] != 0.0)


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_networks_move_the_posterior_by_five_deviations_at_most(case, ops, size):
    """With loadings of this size the core knows nothing, something, nearly all."""
    weights = case.weights | {"core.loadings": size * case.weights["core.loadings"]}
    weights["encoder.mean.kernel"] = np.zeros_like(weights["encoder.mean.kernel"])
    means = []
    for shift in (0.0, 1.0):
        weights["encoder.mean.bias"] = np.full(3, shift, np.float32)
        _, posterior = encode(case, ops, weights=weights)
        means.append(np.asarray(posterior.mean))
    variance = np.diagonal(np.asarray(posterior.covariance), axis1=1, axis2=2)
    # One over the sum of 1 and 1 / (5 deviations), both squared.
    reach = np.sqrt(1.0 / (1.0 + 1.0 / (25.0 * variance)))
    np.testing.assert_allclose(means[1] - means[0], reach, rtol=1e-3, atol=1e-5)


def test_weights_of_an_architecture_without_networks_are_the_cores():
    shapes = Architecture(3, 1, 2, 3, 4, ()).weight_shapes()
    assert shapes == {
        "core.mean": (5,),
        "core.loadings": (5, 4),
        "core.log_noise": (5,),
        "decoder.log_noise": (3,),
    }


@pytest.mark.parametrize(("n_numeric", "n_nominal"), [(3, 2), (3, 0), (0, 2)])
def test_kinds_of_columns(n_numeric, n_nominal):
    sizes = Architecture(n_numeric, n_nominal, 0, 0, 1, ())
    assert sizes.has_numeric == (n_numeric > 0)
    assert sizes.has_nominal == (n_nominal > 0)


def test_kinds_whose_sizes_come_later_are_there():
    from keras import ops

    size = ops.convert_to_tensor(np.int32(2))
    assert Architecture(size, 0, 0, 0, 1, ()).has_numeric
    assert not Architecture(size, 0, 0, 0, 1, ()).has_nominal
    assert Architecture(0, size, size, size, 1, ()).has_nominal
    assert not Architecture(0, size, size, size, 1, ()).has_numeric
