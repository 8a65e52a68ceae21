"""Rubin's rules: closed forms, statsmodels, and what they promise in repetitions."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.inference import (
    MultipleImputationClassifier,
    MultipleImputationRegressor,
    pool,
    sensitivity,
)


@pytest.fixture
def regressions():
    """Five tables that differ in the filled cells of one column, and their fits."""
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    y = x @ [1.0, -0.5] + rng.normal(size=80)
    fits = []
    for _ in range(5):
        filled = x.copy()
        filled[:20, 0] += 0.3 * rng.normal(size=20)
        fits.append(sm.OLS(y, sm.add_constant(filled)).fit())
    return fits


def test_pool_agrees_with_statsmodels(regressions):
    from statsmodels.imputation.mice import MICE

    mice = MICE.__new__(MICE)
    mice.results_list = regressions
    mice.exog_names, mice.endog_names = regressions[0].model.exog_names, "y"
    mice.model_class = type(regressions[0].model)
    theirs = mice.combine()

    ours = pool(
        [fit.params for fit in regressions],
        [fit.cov_params() for fit in regressions],
    )

    np.testing.assert_allclose(ours.estimate, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(ours.covariance, theirs.cov_params(), rtol=1e-8)
    np.testing.assert_allclose(ours.standard_error, theirs.bse, rtol=1e-8)
    # Their share of missing information is Rubin's lambda: that of many tables.
    share = ours.relative_increase / (1 + ours.relative_increase)
    np.testing.assert_allclose(share, theirs.frac_miss_info, rtol=1e-8)


def test_known_answer():
    """Worked by hand: q = 2, u = 4, b = 1, so that t = 4 + 4/3."""
    pooled = pool([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])
    assert pooled.estimate == 2.0
    assert pooled.standard_error == pytest.approx(np.sqrt(16 / 3))
    assert pooled.relative_increase == pytest.approx(1 / 3)
    assert pooled.dof == pytest.approx(2 / 0.25**2)
    expected = (1 / 3 + 2 / 35) / (4 / 3)
    assert pooled.fraction_missing_information == pytest.approx(expected)


def test_degrees_of_freedom_of_small_samples():
    """Barnard & Rubin (1999), with 18 degrees of freedom and lambda = 1/4."""
    pooled = pool([1.0, 2.0, 3.0], [4.0, 4.0, 4.0], dof_complete=18)
    of_cells = 19 / 21 * 18 * 0.75
    assert pooled.dof == pytest.approx(1 / (1 / 32 + 1 / of_cells))
    assert pooled.dof < 18


def test_tables_that_agree_leave_the_complete_answer():
    pooled = pool([2.0, 2.0], [4.0, 4.0], dof_complete=18)
    assert pooled.standard_error == 2.0
    assert pooled.fraction_missing_information == 0.0
    assert pooled.dof == pytest.approx(19 / 21 * 18)  # no more than without gaps
    assert np.isinf(pool([2.0, 2.0], [4.0, 4.0]).dof)


def test_estimates_without_any_error_lack_nothing():
    pooled = pool([2.0, 2.0], [0.0, 0.0])
    assert pooled.standard_error == 0.0
    assert pooled.fraction_missing_information == pooled.relative_increase == 0.0


def test_interval_and_p_value_are_those_of_students_t():
    pooled = pool([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])
    low, high = pooled.interval(0.9)
    t = stats.t(pooled.dof)
    assert (low + high) / 2 == pytest.approx(2.0)
    assert t.cdf((high - 2.0) / pooled.standard_error) == pytest.approx(0.95)
    # The interval holds those values whose p-value is 10 % and more.
    assert pooled.p_value(low) == pytest.approx(0.1)
    assert pooled.p_value(2.0) == pytest.approx(1.0)


def test_parameters_are_pooled_one_by_one():
    rng = np.random.default_rng(0)
    estimates, variances = rng.normal(size=(4, 3)), rng.uniform(1, 2, size=(4, 3))
    together = pool(estimates, variances, dof_complete=30)
    for k in range(3):
        alone = pool(estimates[:, k], variances[:, k], dof_complete=30)
        assert together.estimate[k] == alone.estimate
        assert together.standard_error[k] == alone.standard_error
        assert together.dof[k] == alone.dof
    assert together.covariance is None


def test_summary_has_the_names_of_the_parameters():
    estimates = [pd.Series({"a": 1.0, "b": 2.0}), pd.Series({"a": 1.5, "b": 2.0})]
    summary = pool(estimates, np.ones((2, 2)), dof_complete=20).summary(0.9)
    assert summary.index.tolist() == ["a", "b"]
    assert summary.loc["b", "fraction_missing_information"] == 0.0
    assert (summary["lower"] < summary["estimate"]).all()
    assert pool([1.0, 2.0], [1.0, 1.0]).summary().shape == (1, 7)


def test_mean_of_a_normal_sample_is_covered_as_promised():
    """Proper imputations of a normal mean, 10 of 30 cells missing: nominal coverage."""
    rng = np.random.default_rng(0)
    n, n_missing, m, covered = 30, 10, 20, 0
    for _ in range(1_000):
        x = rng.normal(size=n - n_missing)
        k = len(x)
        # Draws from the posterior under Jeffreys' prior, then of the cells.
        variance = (k - 1) * x.var(ddof=1) / rng.chisquare(k - 1, size=m)
        mean = x.mean() + np.sqrt(variance / k) * rng.normal(size=m)
        drawn = mean[:, None] + np.sqrt(variance)[:, None] * rng.normal(
            size=(m, n_missing)
        )
        tables = np.column_stack([np.tile(x, (m, 1)), drawn])
        pooled = pool(
            tables.mean(axis=1), tables.var(axis=1, ddof=1) / n, dof_complete=n - 1
        )
        low, high = pooled.interval()
        covered += low < 0.0 < high
    assert covered / 1_000 == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("estimates", "variances", "message"),
    [
        ([1.0], [1.0], r"estimates: got those of 1 table, expected two"),
        ([], [], r"estimates: got those of 0 table"),
        ([1.0, 2.0], [1.0], r"variances: got an array of shape \(1,\), expected"),
        (np.ones((2, 3)), np.ones((2, 3, 2)), r"shape \(2, 3, 2\), expected \(2, 3\)"),
        (1.0, 1.0, r"estimates: got an array of shape \(\)"),
        ([1.0, np.nan], [1.0, 1.0], "estimates: got NaN"),
        ([1.0, 2.0], [1.0, np.inf], "variances: got NaN or infinity"),
        ([1.0, 2.0], [1.0, -1.0], "variances: got -1, expected squares"),
    ],
)
def test_bad_input_is_named(estimates, variances, message):
    with pytest.raises(ValueError, match=message):
        pool(estimates, variances)


@pytest.mark.parametrize("dof", [0, -3, "many"])
def test_bad_degrees_of_freedom(dof):
    with pytest.raises(ValueError, match=f"dof_complete: got {dof!r}"):
        pool([1.0, 2.0], [1.0, 1.0], dof_complete=dof)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, "high"])
def test_bad_confidence_level(level):
    with pytest.raises(ValueError, match=f"confidence_level: got {level!r}"):
        pool([1.0, 2.0], [1.0, 1.0]).interval(level)


@pytest.fixture(scope="module")
def incomplete():
    """A table with a third of its cells missing, its rows' classes and a number."""
    rng = np.random.default_rng(0)
    covariance = np.full((3, 3), 0.7) + 0.3 * np.eye(3)
    truth = rng.multivariate_normal(np.zeros(3), covariance, 400)
    X = pd.DataFrame(truth, columns=["a", "b", "c"])
    number = truth.sum(axis=1) + 0.3 * rng.normal(size=400)
    classes = np.select([number < -1, number < 1], ["low", "mid"], "high")
    return X.mask(rng.random(X.shape) < 0.3), classes, number


LINEAR = VAEImputer(hidden_layer_sizes=(), random_state=0)


def test_predictions_are_means_over_tables_of_their_own(incomplete):
    X, classes, number = incomplete
    model = MultipleImputationRegressor(LinearRegression(), LINEAR, random_state=3)
    model.fit(X, number)
    assert len(model.estimators_) == 5
    slopes = np.array([copy.coef_ for copy in model.estimators_])
    assert np.all(slopes.std(axis=0) > 0)
    tables = model.imputer_._impute_by_content(X, model._seeds)
    assert tables[0].equals(X.where(X.notna(), tables[0]))
    each = [copy.predict(x) for copy, x in zip(model.estimators_, tables, strict=True)]
    np.testing.assert_allclose(model.predict(X), np.mean(each, axis=0))
    np.testing.assert_allclose(model.predict(X.iloc[[7]]), model.predict(X)[7])
    thrice = model.predict(X.iloc[[7, 7, 2, 7]])
    assert thrice[0] == thrice[1] == thrice[3] != thrice[2]

    model = MultipleImputationClassifier(LogisticRegression(), LINEAR, random_state=3)
    model.fit(X, classes)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    expected = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.score(X, classes) > 0.7


def test_classifiers_without_probabilities_vote(incomplete):
    X, classes, _ = incomplete
    model = MultipleImputationClassifier(RidgeClassifier(), LINEAR, random_state=0)
    model.fit(X, classes)
    assert not hasattr(model, "predict_proba")
    tables = model.imputer_._impute_by_content(X, model._seeds)
    votes = [copy.predict(x) for copy, x in zip(model.estimators_, tables, strict=True)]
    most = pd.DataFrame(votes).mode().iloc[0]  # the first of equals, in order
    np.testing.assert_array_equal(model.predict(X), most)


def test_without_gaps_the_estimator_itself_predicts():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    alone = LinearRegression().fit(X, y)
    for count in (1, 5):
        model = MultipleImputationRegressor(
            LinearRegression(), LINEAR, n_imputations=count
        )
        np.testing.assert_allclose(model.fit(X, y).predict(X), alone.predict(X))


def test_predicting_estimators_tune_in_grids(incomplete):
    X, _, number = incomplete
    model = MultipleImputationRegressor(Ridge(), LINEAR, random_state=0)
    grid = {"estimator__alpha": [1e-3, 1e6], "n_imputations": [2]}
    search = GridSearchCV(model, grid, cv=2).fit(X, number)
    assert search.best_params_ == {"estimator__alpha": 1e-3, "n_imputations": 2}


def test_columns_correlate_in_drawn_tables_as_in_whole_ones(incomplete):
    X, _, _ = incomplete
    fitted = clone(LINEAR).fit(X)
    tables = fitted.impute_multiple(X, 20, random_state=0)
    drawn = np.mean([np.corrcoef(table["a"], table["b"])[0, 1] for table in tables])
    assert drawn == pytest.approx(0.7, abs=0.08)
    filled = fitted.transform(X)  # guesses lie on the line, and correlate too well
    assert np.corrcoef(filled["a"], filled["b"])[0, 1] > drawn + 0.03


def test_targets_are_checked_before_anything_is_trained(incomplete):
    class Untouched(VAEImputer):
        def fit(self, X, y=None):
            raise AssertionError("trained")

    X, _, number = incomplete
    model = MultipleImputationRegressor(LinearRegression(), Untouched())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, number[:-1])
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, np.where(number > 1, np.nan, number))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_imputations": 0}, "n_imputations"),
        ({"imputer": "mean"}, "imputer"),
        ({"estimator": LINEAR}, "estimator"),
    ],
)
def test_bad_parameters_of_predicting_estimators(incomplete, parameters, message):
    X, _, number = incomplete
    model = MultipleImputationRegressor(LinearRegression(), LINEAR)
    with pytest.raises(ValueError, match=message):
        model.set_params(**parameters).fit(X, number)
    assert not hasattr(model, "estimators_")


def mean_of_b(table):
    return pd.Series({"mean of b": table["b"].mean()}), [table["b"].var() / len(table)]


def test_estimates_move_with_the_missing_cells(incomplete):
    X, _, _ = incomplete
    fitted = clone(LINEAR).fit(X)
    moved = sensitivity(
        fitted, X, mean_of_b, {"b": [-1.0, 0.0, 0.5]}, n_imputations=3, random_state=0
    )
    assert moved.index.names == ["b", "parameter"]
    estimate = moved.xs("mean of b", level="parameter")["estimate"]
    # A shift of one standard deviation of the observed cells, in the missing ones.
    step = X["b"].std(ddof=0) * X["b"].isna().mean()
    np.testing.assert_allclose(estimate - estimate[0.0], step * estimate.index)


def test_shifts_move_drawn_cells_on_the_scale_of_their_column(incomplete):
    X, _, _ = incomplete
    X = X.assign(d=np.exp(X["a"].fillna(X["b"]) + 0.1))
    fitted = clone(LINEAR).fit(X)
    assert fitted.likelihoods_["d"] == "lognormal"
    (plain,) = fitted.impute_multiple(X, 1, random_state=0)
    (moved,) = fitted.impute_multiple(X, 1, random_state=0, delta={"d": -1.0, "c": 0.5})
    missing = X.isna()
    assert moved[~missing].equals(plain[~missing])
    ratio = (moved["d"] / plain["d"])[missing["d"]]
    np.testing.assert_allclose(np.log(ratio), -np.log(X["d"]).std(ddof=0), rtol=1e-4)
    difference = (moved["c"] - plain["c"])[missing["c"]]
    np.testing.assert_allclose(difference, 0.5 * X["c"].std(ddof=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"income": 1.0}, "delta: got 'income'"),
        ({"species": 1.0}, "delta: Column 'species' is modelled as"),
        ({"body_mass_g": "much"}, "delta: got 'much' for 'body_mass_g'"),
        ({"body_mass_g": np.nan}, "delta: got nan for 'body_mass_g'"),
        ([0.1], "delta: got .* expected a dictionary"),
        ([], "delta: got .* expected a dictionary"),
        (np.array([1.0, 2.0]), "delta: got .* expected a dictionary"),
    ],
)
def test_bad_shifts(delta, message):
    penguins = load_penguins()
    fitted = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
    with pytest.raises(ValueError, match=f"(?i){message}"):
        fitted.impute_multiple(penguins, 2, delta=delta)


@pytest.mark.parametrize(
    "deltas", [{}, {"a": []}, {"a": [0, 0]}, {"a": [0], "b": [0, 1]}]
)
def test_steps_of_shifts_go_together(incomplete, deltas):
    X, _, _ = incomplete
    fitted = clone(LINEAR).fit(X)
    with pytest.raises(ValueError, match="deltas: got s"):
        sensitivity(fitted, X, mean_of_b, deltas)


def test_shifts_lead_beyond_what_was_observed(incomplete):
    X, _, _ = incomplete
    X = X.assign(a=np.rint(40 + 4 * X["a"]))
    fitted = clone(LINEAR).fit(X)
    (plain,) = fitted.impute_multiple(X, 1, random_state=0)
    (moved,) = fitted.impute_multiple(X, 1, random_state=0, delta={"a": 5.0})
    difference = (moved["a"] - plain["a"])[X["a"].isna()]
    np.testing.assert_allclose(difference, 5.0 * X["a"].std(ddof=0), rtol=1e-4)
