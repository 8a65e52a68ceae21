"""Self-masking against integrals, simulations and its own data-generating model."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import kstest, norm, truncnorm

from vaeimpute import VAEImputer
from vaeimpute._factor_analysis import FactorAnalysis
from vaeimpute._self_masking import SelfMasking, _positive_normal


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def a_table(rng, n_rows=2_000, sign=1.0):
    """Return four columns of one factor, and the same where the first loses cells.

    By a probit of slope 3: half of them, the large ones where the sign is 1.
    """
    factor = rng.normal(size=n_rows)
    values = 0.85 * factor[:, None] + np.sqrt(0.2775) * rng.normal(size=(n_rows, 4))
    table = pd.DataFrame(10.0 + 2.0 * values, columns=list("abcd"))
    missing = rng.normal(size=n_rows) < sign * 3.0 * values[:, 0]
    return table, table.assign(a=table["a"].mask(missing))


def fitted(table, **settings):
    return VAEImputer(random_state=0, **settings).fit(table)


@pytest.mark.parametrize("slope", [-4.0, 0.0, 0.7, 9.0])
@pytest.mark.parametrize("mean", [-2.0, 0.1, 3.0])
def test_moments_of_missing_numbers_are_those_of_the_integral(slope, mean):
    masking = SelfMasking(np.array([0]), np.array([slope]), np.array([0.5]))
    log_probability, moved, variance = masking.given_missing(
        np.array([mean]), np.array([0.3])
    )

    def moment(power):
        def weighed(x):
            return x**power * norm.pdf(x, mean, 0.3**0.5) * ndtr(slope * x - 0.5)

        return quad(weighed, mean - 6, mean + 6, epsabs=1e-14)[0]

    total = moment(0)
    assert np.exp(log_probability[0]) == pytest.approx(total, rel=1e-6)
    assert moved[0] == pytest.approx(moment(1) / total, rel=1e-5)
    expected = moment(2) / total - (moment(1) / total) ** 2
    assert variance[0] == pytest.approx(expected, rel=1e-3)


def test_log_likelihood_is_the_integral_over_the_missing_cell():
    core = FactorAnalysis(
        np.array([0.2, -0.1]), np.array([[0.8], [0.6]]), np.array([0.3, 0.5])
    )
    masking = SelfMasking(np.array([0]), np.array([2.0]), np.array([0.4]))
    values = np.array([[0.0, 0.7], [0.5, 0.7], [0.0, 0.0]])
    observed = np.array([[False, True], [True, True], [False, False]])

    found = masking.log_likelihood(core, values, observed)

    def density(x, given=None):
        covariance = core.loadings @ core.loadings.T + np.diag(core.noise)
        if given is None:
            return norm.pdf(x, 0.2, covariance[0, 0] ** 0.5)
        gain = covariance[0, 1] / covariance[1, 1]
        mean = 0.2 + gain * (given + 0.1)
        spread = (covariance[0, 0] - gain * covariance[0, 1]) ** 0.5
        of_given = norm.pdf(given, -0.1, covariance[1, 1] ** 0.5)
        return of_given * norm.pdf(x, mean, spread)

    expected = [
        quad(lambda x: density(x, 0.7) * ndtr(2 * x - 0.4), -9, 9)[0],
        density(0.5, 0.7) * ndtr(0.4 - 1.0),
        quad(lambda x: density(x) * ndtr(2 * x - 0.4), -9, 9)[0],
    ]
    np.testing.assert_allclose(found, np.log(expected), atol=0.05)


@pytest.mark.parametrize("mean", [-5.0, 0.0, 4.0])
def test_positive_normals_are_truncated_ones(rng, mean):
    drawn = _positive_normal(np.full(5_000, mean), 2.0, rng)
    assert drawn.min() >= 0.0
    assert kstest(drawn, truncnorm(-mean / 2, np.inf, mean, 2.0).cdf).pvalue > 0.01


@pytest.mark.parametrize(("sign", "kind"), [(1.0, "high"), (-1.0, "low")])
def test_known_self_masking_is_found(rng, sign, kind):
    table, holed = a_table(rng, sign=sign)
    missing = holed["a"].isna()
    truth = table.loc[missing, "a"].mean()

    at_random = fitted(holed, hidden_layer_sizes=()).transform(holed)
    for given in ({"a": kind}, ["a"]):
        imputer = fitted(holed, self_masking=given)
        filled = imputer.transform(holed)
        assert imputer.self_masking_["a"] * sign > 0
        # Half of 2,000 cells: the mean is known to .05, and far off if at random.
        assert filled.loc[missing, "a"].mean() == pytest.approx(truth, abs=0.2)
        error = (filled - table).loc[missing, "a"].std()
        assert error < (at_random - table).loc[missing, "a"].std() + 0.02
    assert abs(at_random.loc[missing, "a"].mean() - truth) > 0.6


def test_observed_scale_of_the_slope_is_recovered(rng):
    """A slope of 3 per unit is one of 3 standard deviations of what is observed."""
    _, holed = a_table(rng, n_rows=2_000)
    imputer = fitted(holed, self_masking={"a": "high"})
    expected = 3.0 * holed["a"].std() / 2.0
    assert imputer.self_masking_["a"] == pytest.approx(expected, rel=0.35)


def test_draws_scatter_as_missing_numbers_do(rng):
    table, holed = a_table(rng)
    missing = holed["a"].isna()
    imputer = fitted(holed, self_masking={"a": "high"})
    tables = imputer.impute_multiple(holed, 10, random_state=0)
    drawn = np.array([x.loc[missing, "a"] for x in tables])
    truth = table.loc[missing, "a"]
    assert drawn.mean() == pytest.approx(truth.mean(), abs=0.2)
    assert drawn.std(axis=1).mean() == pytest.approx(truth.std(), rel=0.1)
    filled = imputer.transform(holed).loc[missing, "a"]
    np.testing.assert_allclose(drawn.mean(axis=0), filled, atol=2.0)
    assert abs(np.mean(drawn - filled.to_numpy())) < 0.1


def test_new_rows_and_cells_in_doubt_are_those_of_whole_tables(rng):
    """Of a row that is drawn, or a cell that is looked at, nothing is missing."""
    table, holed = a_table(rng)
    imputer = fitted(holed, self_masking={"a": "high"})
    drawn = imputer.sample(4_000, random_state=0)
    assert drawn["a"].mean() == pytest.approx(table["a"].mean(), abs=0.2)
    given = imputer.sample(2_000, given={"b": 10.0}, random_state=0)
    near = table.loc[(table["b"] - 10).abs() < 0.2, "a"]
    assert given["a"].mean() == pytest.approx(near.mean(), abs=0.3)
    # Low numbers are usual in a row whose others are low.
    low = pd.DataFrame([[7.5, 7.5, 7.5, 7.5]], columns=list("abcd"))
    scores = imputer.cell_scores(low).iloc[0]
    assert scores["a"] == pytest.approx(scores["b"], abs=1.0)


def test_intervals_lie_where_missing_numbers_are(rng):
    table, holed = a_table(rng)
    missing = holed["a"].isna()
    imputer = fitted(holed, self_masking={"a": "high"})
    lower, upper = (x.loc[missing, "a"] for x in imputer.predict_interval(holed, 0.9))
    truth = table.loc[missing, "a"]
    assert 0.82 < np.mean((lower <= truth) & (truth <= upper)) < 0.97


def test_rows_without_a_self_masked_gap_are_filled_by_the_core(rng):
    _, holed = a_table(rng, n_rows=400)
    holed = holed.assign(b=holed["b"].mask(rng.random(400) < 0.2), d=["x", "y"] * 200)
    imputer = fitted(holed, self_masking={"a": "high"})
    core = imputer._model.linear_core()
    known = holed["a"].notna() & holed["b"].isna()
    rows = imputer._encoding.encode(imputer._schema.read(holed)[0])
    values, observed = imputer._model.core_values(rows)
    expected = core.predict(values, observed)[known, 1]
    numbers = imputer._model.fill(rows).numbers[known, 1]
    # Levels are no normal values to the model; they tell little here.
    np.testing.assert_allclose(numbers, expected, atol=0.05)


def test_answers_do_not_depend_on_other_rows(rng):
    _, holed = a_table(rng, n_rows=300)
    imputer = fitted(holed, self_masking=["a"])
    whole = imputer.transform(holed)
    pd.testing.assert_frame_equal(imputer.transform(holed[100:170]), whole[100:170])
    again = pickle.loads(pickle.dumps(imputer))
    pd.testing.assert_frame_equal(again.transform(holed), whole)
    same = fitted(holed, self_masking=["a"]).transform(holed)
    pd.testing.assert_frame_equal(same, whole)


def test_column_without_gaps_has_nothing_to_learn(rng):
    table, _ = a_table(rng, n_rows=100)
    imputer = fitted(table, self_masking=["a"])
    assert imputer.self_masking_ == {}
    gap = table.mask(table.index.to_series() == 3)
    assert not imputer.transform(gap).isna().any(axis=None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["z"], "self_masking: .*'z'"),
        ({"kind": "high"}, r"self_masking: Column 'kind' is modelled as"),
        ({"a": "upper"}, r"self_masking: got 'upper', expected one of \['high'"),
    ],
)
def test_wrong_self_masking_is_refused(rng, given, message):
    _, holed = a_table(rng, n_rows=60)
    holed = holed.assign(kind=["x", "y", "y"] * 20)
    with pytest.raises(ValueError, match=message):
        fitted(holed, self_masking=given)
