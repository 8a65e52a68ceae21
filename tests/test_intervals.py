"""Intervals and standard deviations: exact where known, calibrated where not."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from vaeimpute import VAEImputer, _training, _uncertainty
from vaeimpute._predictive import Calibration, Predictive
from vaeimpute.datasets import load_penguins

LINEAR = {"hidden_layer_sizes": (), "n_components": 1, "random_state": 0}


@pytest.fixture(scope="module")
def mixture():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(5), size=6)
    return Predictive(rng.normal(size=(6, 5)), np.log(shares), np.full(6, 0.3))


def test_quantiles_and_normal_scores_are_inverse(mixture):
    for score in (-5.0, -1.0, 0.0, 0.3, 4.0):
        numbers = mixture.values_at(np.full(6, score))
        np.testing.assert_allclose(mixture.normal_scores(numbers), score, atol=1e-6)


def test_quantiles_of_a_mixture_are_those_of_its_draws(mixture):
    rng = np.random.default_rng(1)
    shares = np.exp(mixture.log_shares[2])
    component = rng.choice(5, size=200_000, p=shares / shares.sum())
    draws = rng.normal(mixture.means[2, component], 0.3)
    for level in (0.05, 0.5, 0.9):
        quantile = mixture.values_at(np.full(6, norm.ppf(level)))[2]
        assert np.mean(draws <= quantile) == pytest.approx(level, abs=0.005)


def test_quantiles_far_out_are_those_of_the_nearer_component():
    shares = np.array([[1.0, np.exp(-60.0)], [np.exp(-60.0), 1.0]])
    shares = np.log(shares / shares.sum(axis=1, keepdims=True))
    means = np.array([[0.0, 50.0], [-50.0, 0.0]])
    mixture = Predictive(means, shares, np.full(2, 0.1))
    for score in (-9.0, 9.0):
        quantiles = mixture.values_at(np.full(2, score))
        far_component_on_this_side = int(score < 0)
        quantile = quantiles[far_component_on_this_side]
        assert quantile == pytest.approx(0.1 * score, abs=1e-6)


def test_deviations_of_two_modes_are_their_distance():
    mixture = Predictive(np.array([[-1.0, 1.0]]), np.log([[0.5, 0.5]]), np.array([0.1]))
    nodes, weights = np.polynomial.hermite_e.hermegauss(_uncertainty._STD_NODES)
    points = np.array([mixture.values_at(np.array([node]))[0] for node in nodes])
    deviation = np.sqrt(weights @ points**2 / weights.sum())
    assert deviation == pytest.approx(np.sqrt(1.01), rel=0.02)


def test_normal_scores_are_exact_far_out():
    alone = Predictive(np.zeros((2, 1)), np.zeros((2, 1)), np.ones(2))
    np.testing.assert_allclose(alone.normal_scores(np.array([-40.0, 60.0])), [-40, 60])


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_reach_is_that_of_normal_distances(level):
    rng = np.random.default_rng(0)
    column = np.repeat([0, 1], 20_000)
    scores = rng.normal(scale=np.where(column == 0, 1.0, 5.0))
    reach = Calibration.of_cells(column, scores, 3).reach(level)
    expected = norm.ppf(0.5 + 0.5 * level)
    np.testing.assert_allclose(reach[:2] / expected, [1, 5], rtol=0.03)
    # Nothing is known of the third but what all have in common.
    assert reach[0] < reach[2] < reach[1]


@pytest.mark.parametrize("n_cells", [1, 3, 10, 30])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_few_cells_do_not_lower_the_coverage(n_cells, level):
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        distances = rng.normal(size=n_cells)
        calibration = Calibration.of_cells(np.zeros(n_cells), distances, 1)
        covered.append(2.0 * norm.cdf(calibration.reach(level)[0]) - 1.0)
    assert np.mean(covered) == pytest.approx(level, abs=0.03)


def test_columns_of_few_cells_borrow_from_all():
    rng = np.random.default_rng(0)
    column = np.repeat(np.arange(40), 10)
    reach = Calibration.of_cells(column, rng.normal(size=400), 40).reach(0.9)
    assert np.std(reach) < 0.1  # the quantiles of ten cells differ by about 0.4
    assert np.mean(reach) == pytest.approx(norm.ppf(0.95), rel=0.1)


def test_without_distances_predictions_are_taken_at_their_word():
    calibration = Calibration.of_cells([], np.zeros(0), 2)
    np.testing.assert_allclose(calibration.reach(0.95), norm.ppf(0.975))


@pytest.fixture(scope="module")
def gaussian():
    """A table of one factor with 30 % of its cells missing, and its covariance."""
    rng = np.random.default_rng(0)
    loadings = np.array([1.0, 0.8, 0.6, 0.9])
    truth = rng.normal(size=(4_000, 1)) * loadings + rng.normal(size=(4_000, 4)) * 0.5
    truth = 10.0 + 3.0 * truth
    covariance = 9.0 * (np.outer(loadings, loadings) + 0.25 * np.eye(4))
    return truth, rng.random(truth.shape) < 0.3, covariance


def conditional(row, covariance):
    """Mean and deviation of the missing cells of a row of mean 10."""
    gap = np.isnan(row)
    weights = np.linalg.solve(covariance[np.ix_(~gap, ~gap)], covariance[~gap][:, gap])
    mean = 10.0 + (row[~gap] - 10.0) @ weights
    rest = covariance[np.ix_(gap, gap)] - covariance[gap][:, ~gap] @ weights
    return mean, np.sqrt(np.diag(rest))


def test_intervals_and_deviations_are_those_of_a_linear_gaussian_table(gaussian):
    truth, missing, covariance = gaussian
    X = np.where(missing, np.nan, truth)
    imputer = VAEImputer(**LINEAR).fit(X)
    lower, upper = imputer.predict_interval(X, 0.9)
    deviations = imputer.predict_std(X)
    some = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))[:50]
    for i in some:
        mean, deviation = conditional(X[i], covariance)
        reach = norm.ppf(0.95) * deviation
        np.testing.assert_allclose(lower[i, missing[i]], mean - reach, atol=0.5)
        np.testing.assert_allclose(upper[i, missing[i]], mean + reach, atol=0.5)
        np.testing.assert_allclose(deviations[i, missing[i]], deviation, rtol=0.1)
    np.testing.assert_array_equal(deviations[~missing], 0.0)


def test_intervals_cover_as_asked_where_noise_is_not_normal(gaussian):
    truth, missing, _ = gaussian
    rng = np.random.default_rng(2)
    truth = truth + 3.0 * rng.standard_t(2.5, size=truth.shape)
    X = np.where(missing, np.nan, truth)
    imputer = VAEImputer(**LINEAR).fit(X[:3_000])
    for level in (0.5, 0.8, 0.95):
        lower, upper = imputer.predict_interval(X[3_000:], level)
        inside = ((lower <= truth[3_000:]) & (truth[3_000:] <= upper))[missing[3_000:]]
        assert inside.mean() == pytest.approx(level, abs=0.03)


def test_small_tables_are_calibrated_by_all_that_was_held_out(monkeypatch):
    def error_of_reach():
        """Return how far off a normal table's intervals end, over ten fits."""
        errors = []
        for seed in range(10):
            rng = np.random.default_rng(seed)
            X = rng.normal(size=(100, 1)) + rng.normal(size=(100, 4))
            imputer = VAEImputer(hidden_layer_sizes=(), random_state=seed).fit(X)
            reach = imputer._calibration.reach(0.9)
            errors.append(np.log(reach / norm.ppf(0.95)).mean())
        return np.sqrt(np.mean(np.square(errors)))

    often = error_of_reach()
    monkeypatch.setattr(_training, "_MAX_HOLD_OUTS", 1)
    assert often < 0.85 * error_of_reach()


def test_deviations_of_skewed_numbers_are_those_of_draws():
    rng = np.random.default_rng(0)
    known = rng.normal(size=3_000)
    X = pd.DataFrame({"a": known, "b": np.exp(known + 0.5 * rng.normal(size=3_000))})
    X.loc[::3, "b"] = np.nan
    imputer = VAEImputer(**LINEAR).fit(X)
    assert imputer.likelihoods_["b"] == "lognormal"
    rows = X.iloc[[0, 3, 6]]
    tables = imputer.impute_multiple(rows, 150, random_state=0)
    expected = np.std([table["b"] for table in tables], axis=0)
    np.testing.assert_allclose(imputer.predict_std(rows)["b"], expected, rtol=0.25)


@pytest.fixture(scope="module")
def trained():
    penguins = load_penguins()
    settings = {"hidden_layer_sizes": (16,), "max_iter": 40, "random_state": 0}
    return VAEImputer(**settings).fit(penguins), penguins


def test_intervals_of_networks_nest_and_are_the_same_each_time(trained):
    imputer, penguins = trained
    low, high = imputer.predict_interval(penguins)
    inner_low, inner_high = imputer.predict_interval(penguins, 0.5)
    numeric = penguins.select_dtypes("number").columns
    missing = penguins[numeric].isna()
    assert (low[numeric] <= inner_low[numeric]).all(axis=None)
    assert (inner_high[numeric] <= high[numeric]).all(axis=None)
    assert (low[numeric] < high[numeric])[missing].sum().sum() == missing.sum().sum()
    again = imputer.predict_interval(penguins.iloc[[3]])
    pd.testing.assert_frame_equal(again[0], low.iloc[[3]])
    pd.testing.assert_frame_equal(again[1], high.iloc[[3]])


def test_intervals_are_tables_like_that_of_transform(trained):
    imputer, penguins = trained
    filled = imputer.transform(penguins)
    for end in imputer.predict_interval(penguins):
        pd.testing.assert_index_equal(end.index, penguins.index)
        pd.testing.assert_index_equal(end.columns, penguins.columns)
        for name in penguins:
            if name in penguins.select_dtypes("number"):
                known = penguins[name].notna()
                pd.testing.assert_series_equal(end[name][known], penguins[name][known])
                assert end[name].notna().all()
                assert end[name].dtype == filled[name].dtype
            else:
                assert end[name].isna().all()


def kinds():
    rng = np.random.default_rng(0)
    base = rng.normal(size=300)
    table = pd.DataFrame(
        {
            "integer": pd.array(np.rint(20 + 8 * base).astype(int), dtype="Int64"),
            "share": np.clip(0.5 + 0.3 * base, 0.0, 1.0),
            "down": -2.0 * base + 1.0,
            "base": base,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(10 * base, unit="D"),
            "is_high": pd.array(base > 0, dtype="boolean"),
            "size": pd.Categorical(np.where(base > 0.5, "L", "S")),
            "note": [f"a long remark, number {i} of them all" for i in range(300)],
            "empty": np.nan,
        }
    )
    for j in range(6):
        table.iloc[j * 10 : j * 10 + 20, j] = None
    return table


def test_intervals_keep_to_what_columns_hold():
    table = kinds()
    imputer = VAEImputer(
        **LINEAR,
        text_features="passthrough",
        keep_empty_features=True,
        min_value={"share": 0},
        max_value={"share": 1},
        leave_missing=lambda X: X[["since"]].isna() & (X[["base"]].to_numpy() > 0),
    ).fit(table)
    filled = imputer.transform(table)
    lower, upper = imputer.predict_interval(table, 0.9)
    pd.testing.assert_series_equal(lower.dtypes, upper.dtypes)
    assert lower["integer"].dtype == "Int64"
    assert (lower["integer"] <= upper["integer"]).all()
    assert lower["share"].between(0, 1).all()
    assert upper["share"].between(0, 1).all()
    # The copy falls as its source rises.
    assert (
        imputer.likelihoods_["base"] == "copy" or imputer.likelihoods_["down"] == "copy"
    )
    assert (lower["down"] <= filled["down"]).all()
    assert (filled["down"] <= upper["down"]).all()
    both = table["down"].isna() & table["base"].isna()
    np.testing.assert_allclose(
        lower.loc[both, "down"], 1.0 - 2.0 * upper.loc[both, "base"]
    )
    left = table["since"].isna() & (table["base"] > 0)
    assert lower["since"].isna().equals(left)
    assert (lower["since"] <= upper["since"])[~left].all()
    for name in ("is_high", "size", "note", "empty"):
        assert lower[name].isna().all()
        assert upper[name].isna().all()
    deviations = imputer.predict_std(table)
    known = ["integer", "share", "down", "base", "since"]
    assert (deviations[known].isna().sum() == 0).all()
    assert deviations[["is_high", "size", "note", "empty"]].isna().all(axis=None)
    assert (deviations[known].to_numpy() > 0).sum() <= table[known].isna().sum().sum()


@pytest.mark.parametrize("kind", ["numpy", "objects", "polars"])
def test_intervals_come_in_the_container_of_the_table(kind):
    penguins = load_penguins()
    X = penguins.select_dtypes("number").to_numpy() if kind == "numpy" else penguins
    if kind == "objects":
        X = penguins.to_numpy(dtype=object)
    if kind == "polars":
        X = pytest.importorskip("polars").from_pandas(penguins)
    lower, upper = VAEImputer(**LINEAR).fit(X).predict_interval(X)
    assert type(lower) is type(upper) is type(X)
    assert lower.shape == upper.shape == X.shape
    at = [*range(4)] if kind == "numpy" else [2, 3, 4, 5]
    cells = [np.asarray(end, dtype=object) for end in (lower, upper)]
    ends = [end[:, at].astype(float) for end in cells]
    assert (ends[0] <= ends[1]).all()
    if kind != "numpy":
        assert pd.isna(cells[0][:, [0, 1, 6]]).all()


def test_empty_columns_are_dropped_and_indicators_left_out():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:, 1] = np.nan
    X[:9, 0] = np.nan
    with pytest.warns(UserWarning, match="without any observed"):
        imputer = VAEImputer(**LINEAR, add_indicator=True).fit(X)
    assert imputer.transform(X).shape == (60, 4)
    assert imputer.predict_interval(X)[0].shape == (60, 2)


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, None, "95%", np.nan])
def test_confidence_levels_are_between_zero_and_one(trained, level):
    imputer, penguins = trained
    with pytest.raises(ValueError, match=r"confidence_level: got .*\(0, 1\)"):
        imputer.predict_interval(penguins, level)
