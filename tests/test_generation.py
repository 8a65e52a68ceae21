"""Rows that a fitted model makes: `sample`, also on conditions, and `interpolate`."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import softmax
from scipy.stats import kstest, norm
from sklearn.exceptions import NotFittedError

from vaeimpute import VAEImputer
from vaeimpute._conditional import FittedVAE

LINEAR = {"n_components": 2, "hidden_layer_sizes": (), "random_state": 0}
NETWORKS = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "n_networks": 2,
    "max_iter": 3,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def numbers():
    """300 rows of four numbers in different units, a tenth missing."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 4))
    scores += 0.5 * rng.normal(size=scores.shape)
    table = pd.DataFrame([5, 0, -30, 1] + scores * [1, 10, 3, 0.1], columns=[*"abcd"])
    return table.mask(rng.random(table.shape) < 0.1)


@pytest.fixture(scope="module")
def linear(numbers):
    return VAEImputer(**LINEAR).fit(numbers)


@pytest.fixture(scope="module")
def table():
    """150 rows of every kind of column, a tenth missing; all follow `size`."""
    rng = np.random.default_rng(1)
    size = rng.normal(size=150)
    levels = np.digitize(size + 0.5 * rng.normal(size=150), [-0.5, 0.5])
    days = pd.Timestamp("2020-03-01") + pd.to_timedelta(np.rint(20 * size), unit="D")
    table = pd.DataFrame(
        {
            "height": 20 + 5 * size + rng.normal(size=150),
            "inches": np.nan,
            "visits": pd.array(rng.poisson(np.exp(size)), dtype="Int64"),
            "rooms": np.rint(8 + 2 * size + rng.normal(size=150)),
            "member": pd.array(size > 0, dtype="boolean"),
            "town": np.array(["Bergen", "Oslo", "Voss"], dtype=object)[levels],
            "grade": pd.Categorical.from_codes(levels, ["low", "mid", "top"], True),
            "since": days,
            "note": [
                f"a remark that nobody else makes, number {i}" for i in range(150)
            ],
            "empty": pd.Categorical([None] * 150, categories=["u", "v"]),
        }
    )
    table["inches"] = table["height"] / 2.54
    hidden = rng.random(table.shape) < 0.1
    hidden[:, table.columns == "note"] = False
    return table.mask(hidden)


@pytest.fixture(scope="module")
def mixed(table):
    return VAEImputer(
        **NETWORKS,
        text_features="passthrough",
        keep_empty_features=True,
        discrete_features=["rooms"],
        min_value={"height": 18.0, "rooms": 6.5},
        max_value={"since": "2020-03-10"},
    ).fit(table)


def gaussian(imputer):
    """Return mean and covariance of the factor analysis, in the table's units."""
    weights = imputer._model.weights
    loadings = weights["core.loadings"].astype(float)
    covariance = loadings @ loadings.T + np.diag(np.exp(weights["core.log_noise"]))
    columns = imputer._encoding.numbers
    scale = np.array([column.scale for column in columns])
    centre = np.array([column.centre for column in columns])
    mean = centre + scale * weights["core.mean"]
    return mean, covariance * np.outer(scale, scale)


def conditional(imputer, known, asked, values):
    """Return mean and covariance of some columns given others."""
    mean, covariance = gaussian(imputer)
    gain = covariance[np.ix_(asked, known)] @ np.linalg.inv(
        covariance[np.ix_(known, known)]
    )
    left = covariance[np.ix_(asked, asked)] - gain @ covariance[np.ix_(known, asked)]
    return mean[asked] + gain @ (values - mean[known]), left


def assert_gaussian(drawn, mean, covariance):
    """Assert that rows are draws from a normal distribution."""
    white = np.linalg.solve(np.linalg.cholesky(covariance), (drawn - mean).T).T
    n_rows, n_columns = white.shape
    within = 4.5 / np.sqrt(n_rows)  # standard errors
    np.testing.assert_allclose(white.mean(axis=0), 0.0, atol=within)
    second = np.cov(white, rowvar=False).reshape(n_columns, n_columns)
    np.testing.assert_allclose(second, np.eye(n_columns), atol=np.sqrt(2) * within)
    for column in white.T:
        assert kstest(column, "norm").pvalue > 1e-3


# With the linear core alone all is Gaussian.


def test_draws_of_the_linear_core_are_its_gaussian(linear):
    assert set(linear.likelihoods_.values()) == {"normal"}
    drawn = linear.sample(10_000, random_state=0)
    assert_gaussian(drawn.to_numpy(), *gaussian(linear))


def test_draws_on_conditions_are_the_conditional_gaussian(linear):
    given = {"d": 1.1, "b": -12.0}
    drawn = linear.sample(6_000, given=given, random_state=0)
    assert (drawn["d"] == 1.1).all()
    assert (drawn["b"] == -12.0).all()
    expected = conditional(linear, [1, 3], [0, 2], np.array([-12.0, 1.1]))
    assert_gaussian(drawn[["a", "c"]].to_numpy(), *expected)


def test_rows_of_a_table_are_given_one_after_the_other(linear):
    given = pd.DataFrame({"a": [4.0, 6.0], "c": [np.nan, -33.0]}, index=[7, 3])
    drawn = linear.sample(3_000, given=given, random_state=0)
    assert drawn.index.equals(pd.RangeIndex(6_000))
    np.testing.assert_array_equal(drawn["a"], np.repeat([4.0, 6.0], 3_000))
    first, second = drawn.to_numpy()[:3_000], drawn.to_numpy()[3_000:]
    known, asked = [0], [1, 2, 3]
    one = conditional(linear, known, asked, np.array([4.0]))
    assert_gaussian(first[:, asked], *one)
    known, asked = [0, 2], [1, 3]
    other = conditional(linear, known, asked, np.array([6.0, -33.0]))
    assert_gaussian(second[:, asked], *other)


def test_nothing_given_is_the_marginal_gaussian(linear):
    drawn = linear.sample(6_000, given={}, random_state=0)
    assert_gaussian(drawn.to_numpy(), *gaussian(linear))


def test_ends_of_the_linear_way_are_reconstructions_and_the_middle_their_mean(linear):
    rows = [{"a": 4.0, "c": -28.0}, {"a": 6.5, "b": 9.0, "c": -30.0, "d": 1.2}]
    steps = linear.interpolate(*rows, n_steps=5).to_numpy()
    mean, covariance = gaussian(linear)
    noise = np.diag(np.exp(linear._model.weights["core.log_noise"].astype(float)))
    scale = np.array([column.scale for column in linear._encoding.numbers])
    signal = covariance - noise * np.outer(scale, scale)  # that of W z
    for step, row in zip(steps[[0, -1]], rows, strict=True):
        known = ["abcd".index(name) for name in row]
        gap = np.array([*row.values()]) - mean[known]
        gain = np.linalg.solve(covariance[np.ix_(known, known)], gap)
        expected = mean + signal[:, known] @ gain
        np.testing.assert_allclose(step, expected, rtol=1e-4)
    np.testing.assert_allclose(np.diff(steps, 2, axis=0), 0.0, atol=1e-9)


# Networks bend the model: draws against importance sampling from the prior.


def bent(imputer, n_networks, seed):
    """Return an imputer of random networks, and its networks one by one.

    The encoder knows nothing of what the decoder bends: it proposes latents from the
    core's posterior, which is wide as the core's noise is.
    """
    core, rng = imputer._model, np.random.default_rng(seed)
    sizes = replace(core.architecture, hidden_layer_sizes=(8,), n_networks=n_networks)
    weights = dict(core.weights)
    weights["core.log_noise"] = np.full(2, np.log(2.0), np.float32)
    weights["decoder.log_noise"] = np.full(2, np.log(0.3), np.float32)
    shapes = sizes.weight_shapes()
    networks = [name for name in shapes if name not in core.weights]
    for name in networks:
        is_head = name.startswith(("encoder.mean", "encoder.log_scale"))
        weight = rng.normal(size=shapes[name]).astype(np.float32)
        weights[name] = np.float32(0.0 if is_head else 0.4) * weight
    single, each = replace(sizes, n_networks=1), []
    for k in range(n_networks):
        own = {name: weights[name] for name in networks}
        if n_networks > 1:
            own = {name: weight[k] for name, weight in own.items()}
        each.append(FittedVAE(single, weights | own, core.layout))
    imputer = copy(imputer)
    imputer._model = FittedVAE(sizes, weights, core.layout)
    return imputer, each


@pytest.mark.parametrize(("n_networks", "seed"), [(1, 1), (2, 0)])
@pytest.mark.parametrize(("known", "score"), [(0, -1.0), (1, 1.0)])
def test_draws_agree_with_importance_sampling_from_the_prior(
    numbers, n_networks, seed, known, score
):
    asked = 1 - known
    linear = VAEImputer(**LINEAR).fit(numbers[["a", "b"]])
    imputer, each = bent(linear, n_networks, seed)
    columns = imputer._encoding.numbers
    latents = np.random.default_rng(0).standard_normal((30_000, 2))
    decoded = [network.decode(latents) for network in each]
    mean = np.concatenate([filling.numbers for filling in decoded])
    spread = np.sqrt(np.concatenate([filling.variance for filling in decoded]))
    weight = softmax(norm.logpdf(score, mean[:, known], spread[:, known]))
    assert 1 / np.sum(weight**2) > 2_000  # draws that they are worth

    value = columns[known].centre + score * columns[known].scale
    given = {"ab"[known]: value}
    drawn = imputer.sample(4_000, given=given, random_state=0)

    scores = columns[asked].encode(drawn["ab"[asked]].to_numpy())
    for at in np.quantile(scores, [0.1, 0.3, 0.5, 0.7, 0.9]):
        expected = weight @ norm.cdf((at - mean[:, asked]) / spread[:, asked])
        assert np.mean(scores <= at) == pytest.approx(expected, abs=0.04)


def test_draws_of_a_mixture_are_of_each_network_as_the_cells_tell(mixed, table):
    # Rejection: rows drawn from the prior that happen to have what is given.
    prior = mixed.sample(20_000, random_state=0)
    kept = prior[prior["town"] == "Oslo"]
    drawn = mixed.sample(3_000, given={"town": "Oslo"}, random_state=1)
    for column in ("member", "grade"):
        expected = kept[column].value_counts(normalize=True)
        found = drawn[column].value_counts(normalize=True)
        pd.testing.assert_series_equal(found, expected, check_like=True, atol=0.05)
    error = drawn["visits"].clip(upper=5).mean() - kept["visits"].clip(upper=5).mean()
    assert abs(error) < 0.15


def test_draws_of_levels_without_networks_agree_with_rejection():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "a": rng.choice(["u", "v", "w"], 600, p=[0.6, 0.3, 0.1]),
            "b": rng.choice(["x", "y", "z"], 600, p=[0.6, 0.3, 0.1]),
        }
    )
    table.loc[(table["a"] == "w") & (rng.random(600) < 0.5), "b"] = "z"
    imputer = VAEImputer(4, hidden_layer_sizes=(), random_state=0).fit(table)
    prior = imputer.sample(40_000, random_state=0)
    kept = prior.loc[prior["a"] == "w", "b"].value_counts(normalize=True)
    drawn = imputer.sample(4_000, given={"a": "w"}, random_state=1)
    found = drawn["b"].value_counts(normalize=True)
    pd.testing.assert_series_equal(found, kept, check_like=True, atol=0.05)


# Tables: kinds, levels, integers, bounds, containers.


def test_draws_have_the_dtypes_levels_and_bounds_of_the_table(mixed, table):
    for given in (None, {"town": "Voss", "visits": 2}):
        drawn = mixed.sample(200, given=given, random_state=0)
        pd.testing.assert_series_equal(drawn.dtypes, table.dtypes)
        holes = ["note", "empty"]
        assert drawn[holes].isna().all(axis=None)
        assert drawn.drop(columns=holes).notna().all(axis=None)
        assert set(drawn["town"]) <= {"Bergen", "Oslo", "Voss"}
        assert set(drawn["grade"]) <= {"low", "mid", "top"}
        assert (drawn["visits"] >= 0).all()
        assert (drawn["rooms"] == np.rint(drawn["rooms"])).all()
        assert drawn["rooms"].min() == 7  # 6.5 allows no less
        assert drawn["height"].min() == 18.0
        assert (drawn["since"] == drawn["since"].dt.floor("D")).all()
        assert drawn["since"].max() == pd.Timestamp("2020-03-10")


def test_what_is_given_stays_even_out_of_bounds(mixed):
    given = {"height": 3.0, "grade": "top", "since": pd.Timestamp("2021-01-01")}
    drawn = mixed.sample(5, given=given, random_state=0)
    for name, value in given.items():
        assert (drawn[name] == value).all()


@pytest.mark.parametrize("given", [{"height": 25.0}, {"inches": 10.0}])
def test_copies_are_drawn_with_their_source(mixed, given):
    assert mixed.likelihoods_["inches"] == "copy"
    drawn = mixed.sample(20, given=given, random_state=0)
    np.testing.assert_allclose(drawn["inches"], drawn["height"] / 2.54, rtol=1e-9)
    free = mixed.sample(20, random_state=0)
    above = free["height"] > 18.0  # the bound is that of the one column alone
    assert above.sum() > 3
    np.testing.assert_allclose(
        free["inches"][above], free["height"][above] / 2.54, rtol=1e-9
    )


def test_way_between_rows_of_all_kinds(mixed, table):
    rows = table.drop(columns="note")
    way = mixed.interpolate(rows.iloc[0], rows.iloc[[1]])
    assert len(way) == 10
    pd.testing.assert_series_equal(way.dtypes, table.dtypes)
    assert way["town"].isin(["Bergen", "Oslo", "Voss"]).all()
    back = mixed.interpolate(rows.iloc[1], rows.iloc[0])
    pd.testing.assert_frame_equal(back[::-1].reset_index(drop=True), way)
    still = mixed.interpolate(rows.iloc[0], rows.iloc[0], n_steps=2)
    pd.testing.assert_frame_equal(still, way.iloc[[0, 0]].reset_index(drop=True))


def test_frames_of_polars(table):
    frame = pl.from_pandas(table[["height", "town", "since"]])
    imputer = VAEImputer(**LINEAR).fit(frame)
    given = pl.DataFrame({"town": ["Oslo", None]})
    drawn = imputer.sample(2, given=given, random_state=0)
    assert isinstance(drawn, pl.DataFrame)
    assert drawn.schema == frame.schema
    assert drawn["town"][:2].to_list() == ["Oslo", "Oslo"]
    assert drawn.null_count().sum_horizontal().item() == 0
    assert (
        imputer.interpolate({"town": "Oslo"}, {"town": "Voss"}).schema == frame.schema
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays(numbers, dtype):
    X = numbers.to_numpy(dtype)
    imputer = VAEImputer(**LINEAR).fit(X)
    drawn = imputer.sample(3, given=[[None, 1.0, None, 2.0]], random_state=0)
    assert (drawn.dtype, drawn.shape) == (dtype, (3, 4))
    assert (drawn[:, [1, 3]] == [1.0, 2.0]).all()
    named = imputer.sample(3, given={1: 1.0, 3: 2.0}, random_state=0)
    np.testing.assert_array_equal(named, drawn)
    assert imputer.interpolate(X[0], X[1]).dtype == dtype


def test_lists_that_mix_text_and_numbers(table):
    X = table[["height", "town"]].to_numpy(object)
    imputer = VAEImputer(**LINEAR).fit(X)
    drawn = imputer.sample(2, given=[21.5, "Oslo"], random_state=0)
    assert drawn.tolist() == [[21.5, "Oslo"]] * 2


def test_labels_that_are_numbers_are_no_positions(numbers):
    frame = numbers.set_axis([3, 0, 1, 2], axis=1)
    imputer = VAEImputer(**LINEAR).fit(frame)
    for given in ({3: 4.5}, pd.Series({3: 4.5}), pd.DataFrame({3: [4.5]})):
        drawn = imputer.sample(1, given=given, random_state=0)
        assert drawn.loc[0, 3] == 4.5
    named = VAEImputer(**LINEAR).fit(numbers).sample(1, {"a": 4.5}, 0)
    np.testing.assert_array_equal(drawn, named)


def test_rows_without_columns_are_rows_of_which_nothing_is_known(linear):
    assert linear.sample(2, given=pd.DataFrame(index=[0, 1, 2])).shape == (6, 4)
    assert linear.sample(2, given=pd.DataFrame({"a": []})).shape == (0, 4)


# Randomness.


@pytest.mark.parametrize("given", [None, {"town": "Oslo"}])
def test_draws_repeat_with_the_seed_and_leave_the_global_state(mixed, given):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = mixed.sample(5, given=given, random_state=3)
    pd.testing.assert_frame_equal(mixed.sample(5, random_state=3, given=given), first)
    assert not mixed.sample(5, random_state=4, given=given).equals(first)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_asking_leaves_what_was_given(linear):
    given = pd.DataFrame({"a": [1.0, np.nan]})
    array = np.array([1.0, np.nan, 3.0, np.nan])
    linear.sample(2, given=given, random_state=0)
    linear.sample(2, given=array, random_state=0)
    pd.testing.assert_frame_equal(given, pd.DataFrame({"a": [1.0, np.nan]}))
    np.testing.assert_array_equal(array, [1.0, np.nan, 3.0, np.nan])


# Errors.


@pytest.mark.parametrize("n_samples", [0, -1, 2.0, True, "3", None])
def test_number_of_rows_that_is_none(linear, n_samples):
    with pytest.raises(
        ValueError, match=r"n_samples: got .*, expected an integer of 1"
    ):
        linear.sample(n_samples)


@pytest.mark.parametrize("n_steps", [1, 2.0, False])
def test_number_of_steps_without_two_ends(linear, n_steps):
    with pytest.raises(ValueError, match=r"n_steps: got .*, expected an integer of 2"):
        linear.interpolate({"a": 1.0}, {"a": 2.0}, n_steps)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": 3.0}, "given: got 'weight', expected the name of a column"),
        (pd.DataFrame({"weight": [3.0]}), "given: got 'weight'"),
        ({"town": "Rome"}, "given, Column 'town': got 'Rome', expected .*'Oslo'"),
        ({"note": "new"}, "given, Column 'note': got 'new', which is free text"),
        ({"height": np.inf}, "Column 'height': got infinity"),
        ({"height": "tall"}, "Column 'height': got 'tall' .*expected numbers"),
        ({"since": 3.0}, "Column 'since': got .*expected dates"),
        ([1.0, 2.0], r"given: got an array of shape \(2,\), expected rows of 10 col"),
        (np.ones((2, 11)), r"given: got an array of shape \(2, 11\)"),
        (np.ones((1, 2, 10)), r"given: got an array of shape \(1, 2, 10\)"),
        ("Oslo", r"given: got an array of shape \(\)"),
    ],
)
def test_what_cannot_be_given(mixed, given, message):
    with pytest.raises(ValueError, match=message):
        mixed.sample(2, given=given)


def test_ends_must_be_one_row_each(mixed, table):
    rows = table[["height", "town"]]
    with pytest.raises(ValueError, match="a: got 2 rows, expected one"):
        mixed.interpolate(rows.iloc[:2], rows.iloc[0])
    with pytest.raises(ValueError, match="b: got 0 rows, expected one"):
        mixed.interpolate(rows.iloc[0], rows.iloc[:0])
    with pytest.raises(ValueError, match="b, Column 'town': got 'Rome'"):
        mixed.interpolate({}, {"town": "Rome"})


def test_nothing_is_drawn_before_the_fit():
    with pytest.raises(NotFittedError):
        VAEImputer().sample()
    with pytest.raises(NotFittedError):
        VAEImputer().interpolate({}, {})


def test_numbers_that_repeat_are_drawn_from_the_observed_ones():
    rng = np.random.default_rng(0)
    spiked = np.where(rng.random(400) < 0.7, 0.0, rng.integers(1, 5, 400) * 250.0)
    rounded = np.round(rng.normal(size=400), 1)
    table = pd.DataFrame(
        {"spiked": spiked, "rounded": rounded, "free": rng.normal(size=400)}
    )
    drawn = VAEImputer(**LINEAR).fit(table).sample(2_000, random_state=0)
    assert set(drawn["spiked"]) <= set(spiked)
    assert set(drawn["rounded"]) <= set(rounded)
    assert not set(drawn["free"]) & set(table["free"])
    assert drawn["rounded"].std() == pytest.approx(rounded.std(), rel=0.1)
