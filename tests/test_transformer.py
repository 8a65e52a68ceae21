"""`VAETransformer`: principal components of any table, then components that bend."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from vaeimpute import VAETransformer
from vaeimpute._transformer import principal_axes
from vaeimpute.datasets import load_penguins


def linear(n_components=2, **parameters):
    """Return a transformer without networks."""
    defaults = {"hidden_layer_sizes": (), "random_state": 0}
    return VAETransformer(n_components, **defaults | parameters)


def small(n_components=2, **parameters):
    """Return a transformer whose networks stay, whether they pay or not."""
    defaults = {
        "hidden_layer_sizes": (16,),
        "max_iter": 5,
        "batch_size": 64,
        "early_stopping": False,
        "random_state": 0,
    }
    return VAETransformer(n_components, **defaults | parameters)


def normal(n_columns):
    """Return likelihoods that leave numbers as they are."""
    return dict.fromkeys(range(n_columns), "normal")


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def cosines(first, second):
    """Return |cosine| between the same columns of two arrays."""
    norms = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    return np.abs(np.sum(first * second, axis=0)) / norms


@pytest.fixture(scope="module")
def numbers():
    """400 complete rows of six numbers in several units, around a plane."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(400, 2)) * [1.5, 0.8] @ rng.normal(size=(2, 6))
    X = shared + 0.5 * rng.normal(size=(400, 6))
    return X * [1, 10, 100, 0.1, 1, 1] + np.arange(6)


@pytest.fixture(scope="module")
def holed(numbers):
    """Return the same rows with a fifth of the cells missing."""
    hidden = np.random.default_rng(1).random(numbers.shape) < 0.2
    return np.where(hidden, np.nan, numbers)


@pytest.fixture(scope="module")
def penguins():
    return load_penguins()


@pytest.fixture(scope="module")
def pca(numbers):
    return PCA(2).fit(standardised(numbers))


@pytest.fixture(scope="module")
def labels(numbers, pca):
    """Return on which side of the first principal component's middle a row is."""
    return (pca.transform(standardised(numbers))[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def of_numbers(numbers):
    return linear(likelihoods=normal(6)).fit(numbers)


@pytest.fixture(scope="module")
def network(holed):
    return small(likelihoods=normal(6)).fit(holed)


@pytest.fixture(scope="module")
def of_penguins(penguins):
    return linear().fit(penguins)


@pytest.fixture(scope="module")
def network_of_penguins(penguins):
    return small().fit(penguins)


TABLES = {
    "of_numbers": "numbers",
    "network": "holed",
    "of_penguins": "penguins",
    "network_of_penguins": "penguins",
}


@pytest.fixture(params=TABLES)
def fitted(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=TABLES.items(), ids=TABLES.keys())
def fitted_and_table(request):
    """Return each fitted transformer with the table that it was fitted to."""
    return tuple(request.getfixturevalue(name) for name in request.param)


def take(table, rows):
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


def assert_same_table(left, right, rtol=0.0):
    """Assert equality, to the bit by default, of dtypes and columns as well."""
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, rtol=rtol, atol=0.0)
    else:
        assert left.dtype == right.dtype
        np.testing.assert_allclose(left, right, rtol=rtol)


# Without networks: principal component analysis.


def test_components_are_those_of_pca(of_numbers, pca, numbers):
    ours = of_numbers.transform(numbers)
    theirs = pca.transform(standardised(numbers))
    assert cosines(ours, theirs).min() > 0.9999


def test_reconstruction_is_the_projection_of_pca(of_numbers, pca, numbers):
    rows = of_numbers.inverse_transform(of_numbers.transform(numbers))
    ours = (rows - numbers.mean(axis=0)) / numbers.std(axis=0)
    theirs = pca.inverse_transform(pca.transform(standardised(numbers)))
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


def test_explained_variance_is_that_of_pca(of_numbers, pca):
    ours = of_numbers.explained_variance_ratio_
    np.testing.assert_allclose(ours, pca.explained_variance_ratio_, atol=2e-3)


def test_posterior_is_that_of_probabilistic_pca(of_numbers, pca, numbers):
    # Along principal axes W'W = lambda - sigma^2, and the posterior's covariance is
    # sigma^2 / lambda (Tipping & Bishop 1999, section 3.3).
    noise, variance = pca.noise_variance_, pca.explained_variance_
    means, std = of_numbers.transform(numbers, return_std=True)
    expected = np.broadcast_to(np.sqrt(noise / variance), std.shape)
    np.testing.assert_allclose(std, expected, rtol=0.03)
    expected = pca.transform(standardised(numbers)) * np.sqrt(variance - noise)
    expected *= np.sign(np.sum(expected * means, axis=0)) / variance
    np.testing.assert_allclose(means, expected, atol=0.03)


def test_posterior_of_holed_rows_is_the_conditional_of_the_joint(of_numbers, holed):
    weights, axes = of_numbers._model.weights, of_numbers._axes
    loadings = weights["core.loadings"].astype(float)
    joint = loadings @ loadings.T + np.diag(np.exp(weights["core.log_noise"]))
    scores = of_numbers._encoding.encode(holed).values - weights["core.mean"]

    means, std = of_numbers.transform(holed[:20], return_std=True)

    for row, score, mean, spread in zip(holed, scores, means, std, strict=False):
        at = ~np.isnan(row)
        gain = np.linalg.solve(joint[np.ix_(at, at)], loadings[at]).T
        latent = gain @ score[at] - of_numbers._centre
        covariance = np.eye(2) - gain @ loadings[at]
        np.testing.assert_allclose(mean, latent @ axes, atol=1e-5)
        np.testing.assert_allclose(spread**2, np.diag(axes.T @ covariance @ axes))


def test_density_is_that_of_probabilistic_pca(of_numbers, pca, numbers):
    ours = of_numbers.score_samples(numbers)
    theirs = multivariate_normal.logpdf(
        standardised(numbers), np.zeros(6), pca.get_covariance()
    )
    units = np.sum(np.log(numbers.std(axis=0)))
    np.testing.assert_allclose(ours, theirs - units, atol=0.3)
    assert of_numbers.score(numbers) == pytest.approx(ours.mean() / 6)


def test_drawn_rows_have_the_covariance_of_probabilistic_pca(of_numbers, pca, numbers):
    drawn = of_numbers.sample(20_000, random_state=0)
    scores = (drawn - numbers.mean(axis=0)) / numbers.std(axis=0)
    np.testing.assert_allclose(scores.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(np.cov(scores.T), pca.get_covariance(), atol=0.06)


def test_nothing_is_trained_without_networks(of_numbers):
    assert of_numbers.n_iter_ == 0
    assert of_numbers.loss_curve_ == []
    assert of_numbers.validation_scores_ == []


# Components, whatever found them.


def test_components_are_uncorrelated_and_centred(fitted_and_table):
    transformer, table = fitted_and_table
    components = transformer.transform(table)
    assert components.shape == (len(table), 2)
    np.testing.assert_allclose(components.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.corrcoef(components.T), np.eye(2), atol=1e-6)


def test_components_explain_in_falling_order(fitted_and_table):
    transformer, table = fitted_and_table
    ratio = transformer.explained_variance_ratio_
    assert ratio[0] > ratio[1] > 0
    assert ratio.sum() < 1
    active = transformer.transform(table).var(axis=0) > 0.01
    assert transformer.active_units_ == active.sum() == 2


@pytest.mark.parametrize("n_components", [1, 3, 5])
def test_largest_loading_of_each_component_is_positive(numbers, n_components):
    transformer = linear(n_components, likelihoods=normal(6)).fit(numbers)
    steps = np.concatenate([np.zeros((1, n_components)), np.eye(n_components)])
    decoded = transformer.inverse_transform(steps) / numbers.std(axis=0)
    loadings = decoded[1:] - decoded[0]
    largest = np.argmax(np.abs(loadings), axis=1)
    assert (loadings[np.arange(n_components), largest] > 0).all()
    assert (np.diff(transformer.explained_variance_ratio_) <= 0).all()


@pytest.mark.parametrize("make", [linear, small])
def test_seeds_agree(holed, make):
    first, second = (
        make(likelihoods=normal(6), random_state=seed).fit_transform(holed)
        for seed in (1, 2)
    )
    assert cosines(first, second).min() >= 0.98


def test_networks_start_from_principal_components(network, of_numbers, holed):
    components = of_numbers.transform(holed)
    assert cosines(network.transform(holed), components).min() >= 0.98


def test_curve_is_followed_better_than_by_pca():
    rng = np.random.default_rng(0)
    way = rng.uniform(-1.5, 1.5, 300)
    X = np.column_stack([way, way**2, np.sin(2 * way)])
    X = standardised(X + 0.02 * rng.normal(size=X.shape))

    def error(reducer):
        rows = reducer.inverse_transform(reducer.fit_transform(X))
        return np.sqrt(np.mean((rows - X) ** 2))

    training = {"max_iter": 50, "batch_size": 32, "learning_rate_init": 5e-3}
    assert error(small(1, **training)) < 0.5 * error(PCA(1))


def test_larger_beta_brings_posteriors_closer_to_the_prior(holed):
    training = {"max_iter": 20, "batch_size": 32, "learning_rate_init": 5e-3}
    spreads, deviations, divergences = [], [], []
    for beta in (0.1, 30.0):
        reducer = small(beta=beta, likelihoods=normal(6), **training).fit(holed)
        means, std = reducer.transform(holed, return_std=True)
        spreads.append(means.var(axis=0).sum())
        deviations.append(std.mean())
        divergences.append(np.mean(std**2 + means**2 - 1 - 2 * np.log(std)))
    assert spreads[1] < 0.8 * spreads[0]
    assert deviations[1] > 1.5 * deviations[0]
    assert divergences[1] < 0.5 * divergences[0]


def test_networks_are_left_out_where_they_do_not_pay(numbers):
    reducer = small(early_stopping=True, likelihoods=normal(6)).fit(numbers)
    expected = linear(likelihoods=normal(6)).fit(numbers)
    assert len(reducer.validation_scores_) >= 1
    components = reducer.transform(numbers)
    assert cosines(components, expected.transform(numbers)).min() > 0.99


# What stands beside a component.


def test_nothing_observed_leaves_the_prior(of_numbers, of_penguins, penguins):
    for transformer, empty in [
        (of_numbers, np.full((2, 6), np.nan)),
        (of_penguins, penguins.iloc[:2].mask(np.ones((2, 8), bool))),
    ]:
        means, std = transformer.transform(empty, return_std=True)
        np.testing.assert_allclose(std, 1.0)
        # Components count from the mean of the rows, the prior from zero.
        expected = np.tile(-transformer._centre @ transformer._axes, (2, 1))
        np.testing.assert_allclose(means, expected, atol=1e-12)


def test_deviations_grow_as_cells_go_missing(of_numbers, numbers):
    before = 0.0
    for n_missing in range(7):
        X = numbers[:5].copy()
        X[:, :n_missing] = np.nan
        _, std = of_numbers.transform(X, return_std=True)
        assert (std > before).all()
        before = std


def test_deviations_of_networks_grow_with_missing_cells(network, numbers):
    X = numbers.copy()
    X[:, 2:] = np.nan
    _, complete = network.transform(numbers, return_std=True)
    _, holed = network.transform(X, return_std=True)
    assert (complete > 0).all()
    assert (holed.mean(axis=0) > 1.2 * complete.mean(axis=0)).all()


# The way back.


def test_decoded_table_has_the_dtypes_and_levels_of_the_table(
    of_penguins, network_of_penguins, penguins
):
    for transformer in (of_penguins, network_of_penguins):
        decoded = transformer.inverse_transform(transformer.transform(penguins))
        pd.testing.assert_series_equal(decoded.dtypes, penguins.dtypes)
        assert not decoded.isna().to_numpy().any()
        assert decoded.index.equals(pd.RangeIndex(344))
        # Two components tell the three species apart, or nearly so.
        assert (decoded["species"] == penguins["species"]).mean() > 0.75
        mass = decoded["body_mass_g"].corr(penguins["body_mass_g"])
        assert mass > 0.85


def test_decoded_columns_of_every_kind(mixed_table):
    transformer = linear().fit(mixed_table)
    decoded = transformer.inverse_transform(transformer.transform(mixed_table))
    pd.testing.assert_series_equal(decoded.dtypes, mixed_table.dtypes)
    assert not decoded.isna().to_numpy().any()
    for name in ("member", "region", "job"):
        assert set(decoded[name]) <= set(mixed_table[name].dropna())


def test_strings_with_missing_cells_in_an_object_array(mixed_table):
    X = mixed_table.to_numpy(dtype=object)
    transformer = linear().fit(X)
    decoded = transformer.inverse_transform(transformer.transform(X))
    assert decoded.dtype == object
    assert set(decoded[:, 5]) <= {"baker", "clerk", "smith"}


def test_points_come_back(fitted):
    points = np.array([[0.0, 0.0], [1.0, -0.5], [-0.3, 2.0]])
    latents = fitted._to_latents(points, "X")
    np.testing.assert_allclose(fitted._to_components(latents), points, atol=1e-12)


def test_frames_of_components_are_decoded_like_arrays(of_penguins):
    points = np.array([[0.5, -0.5], [0.0, 1.0]])
    expected = of_penguins.inverse_transform(points)
    for convert in (pd.DataFrame, pl.DataFrame, np.ndarray.tolist):
        decoded = of_penguins.inverse_transform(convert(points))
        pd.testing.assert_frame_equal(decoded, expected)


def test_straight_line_between_points_is_decoded(fitted):
    a, b = [-1.0, 0.5], [1.0, 0.0]
    line = fitted.interpolate(a, b, 5, latent=True)
    expected = fitted.inverse_transform(np.linspace(a, b, 5))
    assert_same_table(line, expected, rtol=1e-9)


def test_line_between_rows_is_that_between_their_components(fitted_and_table):
    transformer, table = fitted_and_table
    first, last = take(table, [3]), take(table, [-3])
    ends = transformer.transform(take(table, [3, -3]))
    line = transformer.interpolate(first, last, 7)
    expected = transformer.interpolate(*ends, 7, latent=True)
    assert_same_table(line, expected, rtol=1e-6)
    assert len(line) == 7


def test_rows_to_interpolate_may_lack_cells(of_penguins):
    line = of_penguins.interpolate({"species": "Adelie"}, {"species": "Gentoo"}, 9)
    assert line["species"].iloc[[0, -1]].tolist() == ["Adelie", "Gentoo"]
    assert (np.diff(line["body_mass_g"]) > 0).all()


def test_new_rows_are_like_the_table(network_of_penguins, penguins):
    rows = network_of_penguins.sample(300, random_state=0)
    pd.testing.assert_series_equal(rows.dtypes, penguins.dtypes)
    assert not rows.isna().to_numpy().any()
    mass = penguins["body_mass_g"]
    assert rows["body_mass_g"].mean() == pytest.approx(mass.mean(), abs=mass.std() / 2)
    given = network_of_penguins.sample(20, given={"species": "Gentoo"}, random_state=0)
    assert set(given["species"]) == {"Gentoo"}
    assert given["flipper_length_mm"].mean() > rows["flipper_length_mm"].mean()


def test_densities_are_finite(fitted_and_table):
    transformer, table = fitted_and_table
    density = transformer.score_samples(table)
    assert np.isfinite(density).all()
    assert np.isfinite(transformer.score(table))


# The same answer, whoever asks.


def test_row_is_answered_alike_whatever_rows_are_beside_it(fitted_and_table):
    transformer, table = fitted_and_table
    means, std = transformer.transform(table, return_std=True)
    np.testing.assert_array_equal(transformer.transform(table), means)
    for rows in ([3], [0, 5, 6], np.arange(len(table))[::-1]):
        some = transformer.transform(take(table, rows), return_std=True)
        np.testing.assert_array_equal(some[0], means[rows])
        np.testing.assert_array_equal(some[1], std[rows])


@pytest.mark.parametrize("make", [linear, small])
def test_second_fit_gives_the_same_model(penguins, make):
    first = make().fit_transform(penguins)
    second = make().fit(penguins, y=None).transform(penguins)
    np.testing.assert_array_equal(first, second)


def test_pickle_answers_alike(fitted_and_table):
    transformer, table = fitted_and_table
    text = pickle.dumps(transformer)
    assert b"keras" not in text
    copy = pickle.loads(text)
    components = transformer.transform(table)
    np.testing.assert_array_equal(copy.transform(table), components)
    assert_same_table(
        copy.inverse_transform(components), transformer.inverse_transform(components)
    )


def test_clone_has_the_parameters_and_no_model(network):
    copy = clone(network)
    assert repr(copy.get_params()) == repr(network.get_params())
    assert "n_networks" not in copy.get_params()
    for ask in ("transform", "inverse_transform", "score_samples", "score"):
        with pytest.raises(NotFittedError):
            getattr(copy, ask)([[0.0, 0.0]])
    with pytest.raises(NotFittedError):
        copy.interpolate([0, 0], [1, 1], latent=True)
    with pytest.raises(NotFittedError):
        copy.get_feature_names_out()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_floats_are_reduced_like_wide_ones(holed, dtype):
    X = holed / np.nanstd(holed, axis=0)
    wide = linear(likelihoods=normal(6)).fit_transform(X)
    transformer = linear(likelihoods=normal(6))
    narrow = transformer.fit_transform(X.astype(dtype))
    np.testing.assert_allclose(narrow, wide, atol=20 * np.finfo(dtype).eps)
    assert transformer.inverse_transform(narrow).dtype == dtype


# As a part of what scikit-learn builds.


def test_names_and_frames(penguins):
    transformer = linear().set_output(transform="pandas")
    table = transformer.fit_transform(penguins.set_index(penguins.index + 5))
    names = ["vaetransformer0", "vaetransformer1"]
    assert list(table) == names == transformer.get_feature_names_out().tolist()
    assert table.index.equals(penguins.index + 5)
    frame, std = transformer.transform(penguins, return_std=True)
    np.testing.assert_array_equal(frame, table)
    assert std.shape == table.shape
    transformer.set_output(transform="polars")
    assert transformer.transform(penguins).columns == names


def test_frame_of_polars_comes_back(mixed_table):
    table = pl.DataFrame(mixed_table[["height", "weight", "job"]])
    transformer = linear().fit(table)
    decoded = transformer.inverse_transform(transformer.transform(table))
    assert isinstance(decoded, pl.DataFrame)
    assert decoded.schema == table.schema
    assert decoded.null_count().sum_horizontal().item() == 0


def test_names_are_those_of_the_model_whatever_is_set_later(holed):
    transformer = linear().fit(holed)
    transformer.set_params(n_components=1)
    assert len(transformer.get_feature_names_out()) == 2
    points = transformer.transform(holed)
    assert transformer.inverse_transform(points).shape == holed.shape


def test_search_of_a_pipeline_with_missing_cells(holed, labels):
    pipe = Pipeline([("reduce", linear()), ("classify", LogisticRegression())])
    grid = {"reduce__n_components": [1, 2, 3]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(holed, labels)
    assert search.best_score_ > 0.85
    assert search.score(holed, labels) > 0.85


def test_networks_between_a_scaler_and_a_classifier(holed, labels):
    pipe = make_pipeline(StandardScaler(), small(), LogisticRegression())
    assert pipe.fit(holed, labels).score(holed, labels) > 0.85
    assert pipe[:-1].get_feature_names_out().tolist() == [
        "vaetransformer0",
        "vaetransformer1",
    ]


# Tables with little in them.


def test_one_column_has_one_component():
    X = np.random.default_rng(0).normal(size=(100, 1))
    components = linear(1).fit_transform(X)
    assert cosines(components, X - X.mean(axis=0)) > 0.999


@pytest.mark.parametrize("cell", [7.0, np.nan])
def test_column_without_variance_changes_nothing(holed, cell):
    X = np.column_stack([holed, np.full(len(holed), cell)])
    expected = linear().fit(holed)
    transformer = linear().fit(X)
    components = transformer.transform(X)
    assert cosines(components, expected.transform(holed)).min() > 0.999
    np.testing.assert_allclose(
        transformer.explained_variance_ratio_,
        expected.explained_variance_ratio_,
        atol=0.02,
    )
    decoded = transformer.inverse_transform(components)
    np.testing.assert_array_equal(decoded[:, 6], np.full(len(X), cell))
    assert np.isfinite(decoded[:, :6]).all()


def test_components_of_nothing_are_not_active():
    X = np.column_stack([np.arange(30.0), np.full((30, 2), 5.0)])
    transformer = linear(3).fit(X)
    assert transformer.active_units_ == 1
    ratio = transformer.explained_variance_ratio_
    np.testing.assert_allclose(ratio, [1, 0, 0], atol=0.02)
    components = transformer.transform(X)
    assert np.isfinite(components).all()
    decoded = transformer.inverse_transform(components)
    np.testing.assert_allclose(decoded[:, 1:], 5.0)


def test_one_row_or_a_constant_table_has_no_component():
    for X in (np.array([[1.0, np.nan, 3.0]]), np.full((20, 3), 2.0)):
        transformer = linear().fit(X)
        assert transformer.active_units_ == 0
        np.testing.assert_allclose(transformer.transform(X), 0.0, atol=1e-9)
        np.testing.assert_array_equal(transformer.explained_variance_ratio_, 0.0)


# What is refused.


@pytest.mark.parametrize(
    ("X", "n_components", "message"),
    [
        (np.eye(3), 4, "got 4, expected at most 3: X has n_features=3"),
        (np.arange(5.0)[:, None], 2, "got 2, expected at most 1: X has n_features=1"),
        (np.array([["a"], ["b"], ["c"]], dtype=object), 3, "0 numeric and 1 nominal"),
        (np.array([[1.0, np.nan], [2.0, np.nan]]), 2, "expected at most 1"),
    ],
)
def test_more_components_than_the_columns_can_bear(X, n_components, message):
    with pytest.raises(ValueError, match=f"n_components: .*{message}"):
        linear(n_components).fit(X)


def test_failed_fit_leaves_the_model(penguins):
    transformer = linear().fit(penguins)
    before = transformer.transform(penguins)
    transformer.set_params(n_components=100)
    with pytest.raises(ValueError, match="n_components"):
        transformer.fit(penguins)
    np.testing.assert_array_equal(transformer.transform(penguins), before)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 1)), "X: got 1 numbers in a row, expected 2"),
        (np.zeros((3, 8)), "X: got 8 numbers in a row, expected 2"),
        (np.zeros(2), "1D array"),
        ([[0.0, np.nan]], "Input X contains NaN"),
        ([[0.0, np.inf]], "Input X contains infinity"),
        ([["a", "b"]], "could not convert string to float"),
        (np.zeros((0, 2)), "0 sample"),
    ],
)
def test_points_that_are_none(of_penguins, points, message):
    with pytest.raises(ValueError, match=message):
        of_penguins.inverse_transform(points)


@pytest.mark.parametrize(
    ("a", "b", "n_steps", "message"),
    [
        ([0.0], [0.0, 1.0], 5, "a: got 1 numbers in a row, expected 2"),
        ([0.0, 1.0], [0.0, 1.0, 2.0], 5, "b: got 3 numbers in a row, expected 2"),
        (np.zeros((2, 2)), [0.0, 1.0], 2, "a: got 2 points, expected one"),
        ([0.0, 1.0], [0.0, np.nan], 5, "Input b contains NaN"),
        (np.zeros((1, 1, 2)), [0.0, 1.0], 5, "dim 3"),
        ([0.0, 1.0], [0.0, 2.0], 1, "n_steps: got 1, expected an integer of 2"),
        ([0.0, 1.0], [0.0, 2.0], 2.5, "n_steps: got 2.5, expected an integer"),
    ],
)
def test_lines_that_are_none(of_penguins, a, b, n_steps, message):
    with pytest.raises(ValueError, match=message):
        of_penguins.interpolate(a, b, n_steps, latent=True)


def test_rows_that_are_none(of_penguins, penguins):
    with pytest.raises(ValueError, match="a: got 2 rows, expected one"):
        of_penguins.interpolate(penguins.iloc[:2], penguins.iloc[[5]])
    with pytest.raises(ValueError, match="n_steps"):
        of_penguins.interpolate(penguins.iloc[[0]], penguins.iloc[[5]], 1)


# The axes on their own.


@pytest.fixture
def white():
    """50 rows of three centred, uncorrelated numbers of variance one."""
    z = np.random.default_rng(0).normal(size=(50, 3))
    return np.sqrt(50) * np.linalg.qr(z - z.mean(axis=0))[0]


def test_axes_of_uncorrelated_latents_are_sorted_and_turned(white):
    latents = 5.0 + white * [1.0, 0.1, 3.0]  # their own variance does not count
    values = 2.0 + white @ np.array([[0, 0, 0, 1], [0, -3, 0, 0], [2, 0, -1, 0]])

    axes, explained = principal_axes(latents, values)

    np.testing.assert_allclose(explained, [9.0, 5.0, 1.0])
    expected = [[0, 0, 1], [-1, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(axes, expected, atol=1e-12)


def test_axes_of_correlated_latents_uncorrelate_them(white):
    mixing = np.array([[1.0, 0.4, 0.0], [0.0, 0.8, -0.5], [0.2, 0.0, 2.0]])
    values = white @ np.diag([4.0, 2.0, 1.0])

    axes, explained = principal_axes(white @ mixing, values)

    components = white @ mixing @ axes
    np.testing.assert_allclose(np.corrcoef(components.T), np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=0), 1.0)
    np.testing.assert_allclose(explained, [16.0, 4.0, 1.0])
    along = np.sum(components * white, axis=0)
    np.testing.assert_allclose(along, 50 * components.std(axis=0))


def test_explained_variances_of_a_linear_decoder_sum_to_all(white):
    values = white @ np.random.default_rng(1).normal(size=(3, 7))
    _, explained = principal_axes(white @ np.tri(3), values)
    np.testing.assert_allclose(explained.sum(), values.var(axis=0).sum())
    expected = np.linalg.eigvalsh(np.cov(values.T, bias=True))[::-1][:3]
    np.testing.assert_allclose(explained, expected)


def test_axes_of_a_collapsed_latent_can_be_inverted(white):
    latents = white * [1.0, 0.0, 2.0]
    axes, explained = principal_axes(latents, latents * [1.0, 1.0, 2.0])
    np.testing.assert_allclose(explained, [16.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(np.abs(axes), np.eye(3)[[1, 2, 0]], atol=1e-5)
