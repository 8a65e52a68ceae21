"""`VAEOutlierDetector`: rows of little density, whichever of their cells are known."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from vaeimpute import VAEImputer, VAEOutlierDetector

TINY = VAEOutlierDetector(
    VAEImputer(n_components=2, hidden_layer_sizes=(8,), max_iter=2, batch_size=32)
)
LINEAR = VAEImputer(n_components=2, hidden_layer_sizes=(), random_state=0)


@pytest.fixture(scope="module")
def numbers():
    """400 rows of five numbers that two factors explain; half the rows have gaps."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 5))
    X = 3 + X + 0.4 * rng.normal(size=X.shape)
    holes = rng.random(X.shape) < 0.5
    holes[::2] = False
    X[holes] = np.nan
    X[7] = np.nan
    return X


@pytest.fixture(scope="module")
def fitted(numbers):
    return VAEOutlierDetector(LINEAR).fit(numbers)


# What a score is.


def test_decisions_are_scores_above_the_quantile_of_the_training_rows(fitted, numbers):
    scores = fitted.score_samples(numbers)
    assert fitted.offset_ == pytest.approx(np.quantile(scores, 0.1), rel=1e-12)
    decisions = fitted.decision_function(numbers)
    np.testing.assert_array_equal(decisions, scores - fitted.offset_)
    labels = fitted.predict(numbers)
    np.testing.assert_array_equal(labels, np.where(decisions < 0, -1, 1))
    assert labels.dtype.kind == "i"
    assert np.sum(labels == -1) == 40
    np.testing.assert_array_equal(clone(fitted).fit_predict(numbers), labels)


@pytest.mark.parametrize("contamination", [0.005, 0.25, 0.5])
def test_share_of_outliers_is_the_contamination(numbers, contamination):
    detector = VAEOutlierDetector(LINEAR, contamination=contamination)
    labels = detector.fit_predict(numbers)
    assert np.sum(labels == -1) == 400 * contamination


def test_scores_are_log_densities_less_those_to_be_expected(fitted, numbers):
    # Of a Gaussian, log p(x) - E[log p(X)] is half of what the squared Mahalanobis
    # distance lacks of the number of cells.
    imputer = fitted.imputer_
    weights = {name: w.astype(float) for name, w in imputer._model.weights.items()}
    loadings = weights["core.loadings"]
    covariance = loadings @ loadings.T + np.diag(np.exp(weights["core.log_noise"]))
    columns = imputer._encoding.numbers
    scores = (numbers - [x.centre for x in columns]) / [x.scale for x in columns]
    expected = np.zeros(len(scores))
    for i, row in enumerate(scores):
        known = ~np.isnan(row)
        gap = (row - weights["core.mean"])[known]
        square = gap @ np.linalg.solve(covariance[np.ix_(known, known)], gap)
        expected[i] = 0.5 * (known.sum() - square)
    error = fitted.score_samples(numbers) - expected
    # What is to be expected is a mean over draws, the same for all rows alike.
    missing = np.isnan(numbers)
    for pattern in np.unique(missing, axis=0):
        alike = error[np.all(missing == pattern, axis=1)]
        assert np.ptp(alike) < 2e-3
        assert abs(alike[0]) < 4 * np.sqrt(0.5 * np.sum(~pattern) / 16) + 1e-3
    assert error[7] == 0.0


def test_complete_tables_are_ordered_as_by_density(numbers):
    X = numbers[::2]
    detector = VAEOutlierDetector(LINEAR).fit(X)
    gap = detector.score_samples(X) - detector.imputer_.score_samples(X)
    np.testing.assert_allclose(gap, gap[0], rtol=1e-9)


def test_rows_with_gaps_are_no_less_usual_than_complete_ones(fitted, numbers):
    holed = np.isnan(numbers).any(axis=1)
    density = fitted.imputer_.score_samples(numbers)
    assert abs(density[holed].mean() - density[~holed].mean()) > 1.5
    scores = fitted.score_samples(numbers)
    assert scores[holed].mean() == pytest.approx(scores[~holed].mean(), abs=0.3)
    # Fewer cells can be less odd, but neither half has nearly all outliers.
    outlier = fitted.predict(numbers) == -1
    assert 0.04 < outlier[holed].mean() < outlier[~holed].mean() < 0.16


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_units_do_not_matter(fitted, numbers, unit):
    # A power of two scales exactly. The log-density of every cell moves by log(unit).
    other = VAEOutlierDetector(LINEAR).fit(unit * numbers)
    expected = fitted.score_samples(numbers)
    np.testing.assert_allclose(
        other.score_samples(unit * numbers), expected, rtol=1e-6, atol=1e-9
    )


def test_same_error_costs_a_row_with_gaps_as_much(fitted):
    centre = np.array([column.centre for column in fitted.imputer_._encoding.numbers])
    usual = np.full((2, 5), np.nan)
    usual[0], usual[1, 2] = centre, centre[2]
    odd = usual.copy()
    odd[:, 2] += 60.0
    cost = fitted.score_samples(usual) - fitted.score_samples(odd)
    assert (fitted.predict(odd) == -1).all()
    # The complete row tells better where the cell should have been.
    assert cost[0] > cost[1] > 50


def test_row_of_which_nothing_is_known_is_no_outlier(fitted):
    nothing = np.full((1, 5), np.nan)
    assert fitted.score_samples(nothing).tolist() == [0.0]
    assert fitted.predict(nothing).tolist() == [1]


def test_answers_do_not_depend_on_the_rows_beside(fitted, numbers):
    whole = fitted.score_samples(numbers)
    for rows in ([3], [7, 8], slice(100, 300), np.arange(400)[::-1]):
        np.testing.assert_array_equal(fitted.score_samples(numbers[rows]), whole[rows])


def test_more_patterns_than_are_scored_at_once(monkeypatch, fitted, numbers):
    expected = fitted.score_samples(numbers)
    monkeypatch.setattr("vaeimpute._outliers._PATTERNS_AT_ONCE", 3)
    np.testing.assert_array_equal(fitted.score_samples(numbers), expected)


# What it finds.


def test_planted_outliers_are_found_among_rows_with_gaps():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 1)) + 0.3 * rng.normal(size=(300, 6))
    planted = rng.random(300) < 0.1
    X[planted] = 1.5 * rng.normal(size=(planted.sum(), 6))  # nothing fits the rest
    X[rng.random(X.shape) < 0.3] = np.nan
    detector = VAEOutlierDetector(LINEAR)
    scores = detector.fit(X[:150]).score_samples(X[150:])
    assert roc_auc_score(~planted[150:], scores) > 0.93


def test_rows_of_all_kinds(mixed_table):
    odd = mixed_table.dropna().iloc[[0]].assign(height=165.0, weight=160.0)
    detector = VAEOutlierDetector(LINEAR, contamination=0.05).fit(mixed_table)
    assert detector.feature_names_in_.tolist() == list(mixed_table)
    assert detector.predict(odd).tolist() == [-1]
    labels = detector.predict(mixed_table)
    assert np.sum(labels == -1) == 3
    cells = detector.imputer_.cell_scores(odd)
    assert cells.iloc[0].idxmax() in ("height", "weight")
    in_polars = pl.from_pandas(mixed_table)
    other = VAEOutlierDetector(LINEAR, contamination=0.05).fit(in_polars)
    np.testing.assert_array_equal(other.predict(in_polars), labels)


def test_levels_that_the_fit_has_not_seen_count_as_missing(mixed_table):
    detector = VAEOutlierDetector(LINEAR).fit(mixed_table)
    row = mixed_table.iloc[[0]]
    np.testing.assert_array_equal(
        detector.score_samples(row.assign(job="pilot")),
        detector.score_samples(row.assign(job=None)),
    )


def test_columns_that_tell_nothing_are_no_matter(numbers, fitted):
    table = pd.DataFrame(numbers).add_prefix("x")
    table.insert(2, "empty", np.nan)
    table["note"] = [f"a remark that nobody else makes, number {i}" for i in range(400)]
    linear = clone(LINEAR).set_params(text_features="passthrough")
    detector = VAEOutlierDetector(linear).fit(table)
    expected = fitted.score_samples(numbers)
    np.testing.assert_allclose(detector.score_samples(table), expected, rtol=1e-9)


def test_networks_and_a_sentinel(numbers):
    imputer = VAEImputer(
        n_components=2, hidden_layer_sizes=(8,), n_networks=2, max_iter=3
    )
    detector = VAEOutlierDetector(imputer, random_state=0).fit(numbers)
    scores = detector.score_samples(numbers)
    holed = np.isnan(numbers).any(axis=1)
    assert scores[holed].mean() == pytest.approx(scores[~holed].mean(), abs=0.5)
    imputer.set_params(missing_values=-99)
    other = VAEOutlierDetector(imputer, random_state=0)
    X = np.where(np.isnan(numbers), -99.0, numbers)
    np.testing.assert_array_equal(other.fit(X).score_samples(X), scores)


# The estimator.


def test_imputer_is_cloned_and_the_seed_goes_to_it(numbers):
    imputer = VAEImputer(n_components=1, hidden_layer_sizes=(), random_state=3)
    detector = VAEOutlierDetector(imputer, random_state=8).fit(numbers)
    assert not hasattr(imputer, "_model")
    assert imputer.random_state == 3
    assert detector.imputer_.random_state == 8
    assert detector.imputer_.n_components == 1
    assert VAEOutlierDetector(imputer).fit(numbers).imputer_.random_state == 3
    assert VAEOutlierDetector().get_params(deep=False) == {
        "imputer": None,
        "contamination": 0.1,
        "random_state": None,
    }


def test_same_seed_same_scores_and_the_global_state_is_left(numbers):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    linear = clone(LINEAR).set_params(random_state=None)
    first, second, loaded = (
        VAEOutlierDetector(linear, random_state=0).fit(numbers) for _ in range(3)
    )
    loaded = pickle.loads(pickle.dumps(loaded))
    expected = first.score_samples(numbers)
    for other in (second, loaded):
        np.testing.assert_array_equal(other.score_samples(numbers), expected)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_fit_that_fails_leaves_the_detector_as_it_was(numbers):
    detector = VAEOutlierDetector(LINEAR).fit(numbers)
    before = vars(detector).copy()
    with pytest.raises(ValueError, match="Column 1: got infinity"):
        detector.fit(np.array([[1.0, np.inf], [2.0, 3.0]]))
    assert vars(detector) == before


@pytest.mark.parametrize("contamination", [0.0, -0.1, 0.51, "auto", None])
def test_contamination_that_is_no_share(numbers, contamination):
    with pytest.raises(ValueError, match="'contamination' parameter"):
        VAEOutlierDetector(LINEAR, contamination=contamination).fit(numbers)


def test_tables_that_cannot_be_judged(mixed_table, fitted, numbers):
    with pytest.raises(ValueError, match="'imputer' parameter"):
        VAEOutlierDetector("mean").fit(numbers)
    for method in ("score_samples", "decision_function", "predict"):
        with pytest.raises(NotFittedError):
            getattr(VAEOutlierDetector(), method)(numbers)
        with pytest.raises(ValueError, match="4 features, but VAEOutlierDetector"):
            getattr(fitted, method)(numbers[:, :4])
        with pytest.raises(ValueError, match="Column 2: got infinity"):
            getattr(fitted, method)(np.where(np.arange(5) == 2, np.inf, numbers))
    detector = VAEOutlierDetector(LINEAR).fit(mixed_table)
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(mixed_table[sorted(mixed_table)])
    with pytest.warns(UserWarning, match="names, but VAEOutlierDetector") as caught:
        detector.predict(mixed_table.to_numpy(object))
    assert len(caught) == 1
    with pytest.raises(ValueError, match="Every cell of X is missing"):
        VAEOutlierDetector(LINEAR).fit(np.full((3, 2), np.nan))
