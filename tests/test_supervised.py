"""Labels are a column whose cells may be missing: `VAEClassifier`, `VAERegressor`."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import accuracy_score, r2_score

from vaeimpute import VAEClassifier, VAEImputer, VAERegressor

TINY = VAEImputer(n_components=2, hidden_layer_sizes=(8,), max_iter=2, batch_size=32)
LINEAR = VAEImputer(hidden_layer_sizes=(), random_state=0)


@pytest.fixture
def clusters():
    """Two Gaussian clusters far from each other, 206 rows: features and classes."""
    rng = np.random.default_rng(0)
    y = np.arange(206) % 2
    X = 3.0 * y[:, None] + rng.normal(size=(206, 4))
    return X, y


def with_few_labels(y, n_labels=6):
    """Return labels as floats, NaN but for the first few rows."""
    part = y.astype(float)
    part[n_labels:] = np.nan
    return part


@pytest.mark.parametrize("imputer", [LINEAR, TINY], ids=["linear", "tiny"])
def test_three_labels_of_each_class_tell_two_clusters_apart(clusters, imputer):
    X, y = clusters
    classifier = VAEClassifier(imputer, random_state=0).fit(X, with_few_labels(y))
    assert classifier.score(X[6:], y[6:]) > 0.97


def test_probabilities_sum_to_one_and_the_largest_is_predicted(clusters):
    X, y = clusters
    y = np.where(X[:, 0] > 5, "far", np.where(y, "b", "a"))
    classifier = VAEClassifier(TINY, random_state=0).fit(X, y)
    assert classifier.classes_.tolist() == ["a", "b", "far"]
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (206, 3)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    likeliest = classifier.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(X), likeliest)


def test_prediction_is_the_imputed_cell(clusters):
    X, y = clusters
    classifier = VAEClassifier(LINEAR).fit(X, with_few_labels(y))
    table = pd.DataFrame(X).assign(y=pd.Categorical(with_few_labels(y)))
    table.columns = range(5)
    filled = clone(LINEAR).fit_transform(table)
    predicted = classifier.predict(X)
    np.testing.assert_array_equal(filled[4].to_numpy()[6:], predicted[6:])
    regressor = VAERegressor(LINEAR).fit(X, X[:, 0])
    table[4] = X[:, 0]
    imputer = clone(LINEAR).fit(table)
    table[4] = np.nan
    filled = imputer.transform(table)
    np.testing.assert_array_equal(filled[4].to_numpy(), regressor.predict(X))


def test_label_that_means_none_equals_nan(clusters):
    X, y = clusters
    part = with_few_labels(y)
    marked = np.where(np.isnan(part), -1, part).astype(int)
    with_nan = VAEClassifier(TINY, random_state=0).fit(X, part)
    with_mark = VAEClassifier(TINY, unlabeled=-1, random_state=0).fit(X, marked)
    assert with_mark.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(with_mark.predict_proba(X), with_nan.predict_proba(X))
    y = np.where(np.arange(206) % 3, X[:, 0], np.nan)
    marked = np.where(np.isnan(y), -99, y)
    with_nan = VAERegressor(TINY, random_state=0).fit(X, y)
    with_mark = VAERegressor(TINY, unlabeled=-99, random_state=0).fit(X, marked)
    np.testing.assert_array_equal(with_mark.predict(X), with_nan.predict(X))


def test_label_below_zero_is_a_label_unless_it_is_said_to_be_none(clusters):
    X, y = clusters
    classifier = VAEClassifier(TINY).fit(X, np.where(y, 1, -1))
    assert classifier.classes_.tolist() == [-1, 1]


def test_regression_approaches_the_conditional_mean():
    # x = z + 0.6 e, y = 2 z_1 - z_2 + 0.5 e, so that all is jointly normal.
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1500, 2))
    weights = np.array([[1, 0], [1, 0.5], [0, 1], [0.5, -1]])
    X = z @ weights.T + 0.6 * rng.normal(size=(1500, 4))
    y = 5 + z @ [2, -1] + 0.5 * rng.normal(size=1500)
    X[rng.random(X.shape) < 0.2] = np.nan
    part = np.where(np.arange(1500) < 500, y, np.nan)
    regressor = VAERegressor(LINEAR).fit(X, part)

    covariance = weights @ weights.T + 0.36 * np.eye(4)
    with_y = weights @ [2, -1]
    expected = np.empty(1500)
    for row, x in enumerate(X):
        at = np.flatnonzero(~np.isnan(x))
        slope = np.linalg.solve(covariance[np.ix_(at, at)], with_y[at])
        expected[row] = 5 + slope @ x[at]
    error = regressor.predict(X) - expected
    assert np.sqrt(np.mean(error**2)) < 0.12 * np.std(y)
    assert np.abs(error.mean()) < 0.1


def test_whole_numbers_are_predicted_by_their_mean(clusters):
    X, y = clusters
    coin = np.random.default_rng(1).integers(0, 2, size=206)
    predicted = VAERegressor(LINEAR).fit(X, 4 * y + coin).predict(X)
    assert predicted.dtype == np.float64
    assert np.mean(predicted != np.rint(predicted)) > 0.9


def test_scores_are_accuracy_and_explained_variance(clusters):
    X, y = clusters
    classifier = VAEClassifier(TINY, random_state=0).fit(X, y)
    assert classifier.score(X, y) == accuracy_score(y, classifier.predict(X))
    regressor = VAERegressor(TINY, random_state=0).fit(X, X[:, 1])
    assert regressor.score(X, X[:, 1]) == r2_score(X[:, 1], regressor.predict(X))


def test_missing_features_are_welcome_in_fit_and_predict(clusters):
    X, y = clusters
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.3, np.nan, X)
    X[5] = np.nan
    classifier = VAEClassifier(LINEAR).fit(X, with_few_labels(y, 60))
    assert classifier.score(X[60:], y[60:]) > 0.9
    nothing = np.full((1, 4), np.nan)
    shares = np.mean(y[:60] == 0), np.mean(y[:60] == 1)
    np.testing.assert_allclose(classifier.predict_proba(nothing), [shares], atol=0.1)
    regressor = VAERegressor(LINEAR).fit(X, y)
    assert np.isfinite(regressor.predict(X)).all()


def test_feature_without_any_cell_has_no_effect(clusters):
    X, y = clusters
    wider = np.column_stack([X, np.full(206, np.nan)])
    of_wider = VAEClassifier(LINEAR).fit(wider, y).predict_proba(wider)
    np.testing.assert_allclose(
        of_wider, VAEClassifier(LINEAR).fit(X, y).predict_proba(X), atol=0.05
    )


@pytest.fixture
def people():
    """120 people of whom the job tells the party, and the age the income."""
    rng = np.random.default_rng(0)
    job = rng.choice(["baker", "clerk", "smith"], size=120)
    age = rng.uniform(20, 60, size=120)
    X = pd.DataFrame({"job": job, "age": age, "y": rng.normal(size=120)})
    X.loc[::7, "job"] = None
    party = np.where(job == "clerk", "left", "right")
    income = 10 * age + rng.normal(size=120)
    return X, party, income


def test_strings_in_a_frame_are_features(people):
    X, party, income = people
    classifier = VAEClassifier(LINEAR).fit(X, party)
    known = X["job"].notna()
    assert classifier.score(X[known], party[known]) == 1.0
    assert classifier.feature_names_in_.tolist() == ["job", "age", "y"]
    assert classifier.n_features_in_ == 3
    assert VAERegressor(LINEAR).fit(X, income).score(X, income) > 0.95


@pytest.mark.parametrize("container", ["polars", "array", "lists"])
def test_containers_are_taken_alike(people, container):
    X, party, income = people
    other = {
        "polars": pl.from_pandas,
        "array": lambda frame: frame.to_numpy(dtype=object),
        "lists": lambda frame: frame.to_numpy(dtype=object).tolist(),
    }[container](X)
    expected = VAEClassifier(LINEAR).fit(X, party).predict_proba(X)
    labels = pl.Series(party) if container == "polars" else party.tolist()
    found = VAEClassifier(LINEAR).fit(other, labels).predict_proba(other)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    expected = VAERegressor(LINEAR).fit(X, income).predict(X)
    found = VAERegressor(LINEAR).fit(other, income.tolist()).predict(other)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_arrays_of_numbers_are_left_as_they_are(clusters, dtype):
    X = (10 * clusters[0]).astype(dtype)
    before = X.copy()
    X.setflags(write=False)
    expected = VAERegressor(LINEAR).fit(X.astype(float), X[:, 0]).predict(X)
    found = VAERegressor(LINEAR).fit(X, X[:, 0]).predict(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_array_equal(X, before)


def test_labels_belong_to_rows_by_position(clusters):
    X, y = clusters
    expected = VAEClassifier(LINEAR).fit(X, y).predict_proba(X)
    shuffled = np.random.default_rng(1).permutation(206)
    labels = pd.Series(y, index=shuffled)
    frame = pd.DataFrame(X, index=np.zeros(206))
    found = VAEClassifier(LINEAR).fit(frame, labels).predict_proba(frame)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("labels", "classes", "kind"),
    [
        ([0, 1, None], [0, 1], "i"),
        ([3, 1, np.nan], [1, 3], "i"),
        (np.array([3, 1, np.nan]), [1.0, 3.0], "f"),
        (pd.array([3, 1, None], dtype="Int64"), [1, 3], "i"),
        (pd.Series([3, 1, None], dtype="Int8"), [1, 3], "i"),
        (pd.Series([3, 1, None], dtype="int64[pyarrow]"), [1, 3], "i"),
        (pl.Series([3, 1, None]), [1, 3], "i"),
        (pl.Series(["b", "a", None]), ["a", "b"], "O"),
        (["b", "a", None], ["a", "b"], "O"),
        (np.array(["b", "a", np.nan], dtype=object), ["a", "b"], "O"),
        (pd.Series(["b", "a", pd.NA], dtype="string"), ["a", "b"], "O"),
        (pd.Series(["b", "a", None], dtype="category"), ["a", "b"], "O"),
        (pd.Categorical([2, 1, None], categories=[3, 2, 1]), [1, 2], "i"),
        ([True, False, None], [False, True], "b"),
        (pd.array([True, False, None], dtype="boolean"), [False, True], "b"),
    ],
)
def test_labels_of_every_dtype(clusters, labels, classes, kind):
    X, _ = clusters
    at = np.arange(206) % 3
    y = [labels[i] for i in at] if isinstance(labels, list) else labels[at]
    if isinstance(labels, pd.Series):
        y = labels.iloc[at]
    classifier = VAEClassifier(LINEAR).fit(X, y)
    assert classifier.classes_.tolist() == classes
    assert classifier.classes_.dtype.kind == kind
    predicted = classifier.predict(X)
    assert predicted.dtype == classifier.classes_.dtype
    assert set(predicted.tolist()) <= set(classes)


@pytest.mark.parametrize(
    "labels",
    [
        pd.array([3, None], dtype="Int64"),
        pd.Series([3.0, None], dtype="Float64"),
        pd.Series([3.0, np.nan], dtype="float32[pyarrow]"),
        np.array([3, None], dtype=object),
    ],
)
def test_numbers_of_every_dtype(clusters, labels):
    X, _ = clusters
    is_labelled = np.arange(206) % 2
    y = labels.iloc[1 - is_labelled] if hasattr(labels, "iloc") else None
    y = labels[1 - is_labelled] if y is None else y
    predicted = VAERegressor(LINEAR).fit(X, y).predict(X)
    np.testing.assert_allclose(predicted, 3.0, rtol=1e-5)


@pytest.mark.parametrize("names", [["y", "y_", "a", "b"], [4, 5, 0, 1]])
def test_columns_may_have_any_name(clusters, names):
    X, y = clusters
    frame = pd.DataFrame(X, columns=names)
    found = VAEClassifier(LINEAR).fit(frame, y).predict_proba(frame)
    expected = VAEClassifier(LINEAR).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


def test_columns_may_have_several_labels(clusters):
    X, y = clusters
    names = pd.MultiIndex.from_product([["a", "b"], ["c", "d"]])
    frame = pd.DataFrame(X, columns=names)
    predicted = VAEClassifier(LINEAR).fit(frame, y).predict(frame)
    np.testing.assert_array_equal(predicted, VAEClassifier(LINEAR).fit(X, y).predict(X))


@pytest.mark.parametrize("given", [["job"], [0], [True, False, False]])
def test_settings_name_columns_of_the_features(people, given):
    X, party, _ = people
    X = X.assign(job=X["job"].map({"baker": 1, "clerk": 2, "smith": 3}))
    settings = {"categorical_features": given, "likelihoods": {"age": "lognormal"}}
    imputer = clone(LINEAR).set_params(**settings)
    classifier = VAEClassifier(imputer).fit(X, party)
    known = X["job"].notna()
    # Of an ordered scale, a line could not tell the one in the middle.
    assert classifier.score(X[known], party[known]) == 1.0
    found = list(classifier.imputer_.likelihoods_.values())
    assert found == ["categorical", "lognormal", "normal", "bernoulli"]


def test_discrete_features_may_be_one_boolean_per_column(clusters):
    X, y = clusters
    imputer = clone(LINEAR).set_params(discrete_features=[True, False, False, True])
    classifier = VAEClassifier(imputer).fit(np.rint(X), y)
    assert classifier.imputer_.discrete_features == [0, 3]


def test_value_that_marks_missing_features_may_be_a_label(clusters):
    X, y = clusters
    y = y + (X[:, 1] > 3)
    X[::9, 0] = np.nan
    imputer = clone(LINEAR).set_params(missing_values=0)
    zeros = np.nan_to_num(X)
    expected = VAEClassifier(LINEAR).fit(X, y)
    found = VAEClassifier(imputer).fit(zeros, y)
    assert found.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.predict_proba(zeros), expected.predict_proba(X))
    expected = VAERegressor(LINEAR).fit(X, y).predict(X)
    found = VAERegressor(imputer).fit(zeros, y).predict(zeros)
    np.testing.assert_array_equal(found, expected)


def test_settings_of_filled_cells_have_no_effect(clusters):
    X, y = clusters
    imputer = clone(LINEAR).set_params(
        min_value=100, add_indicator=True, leave_missing=lambda X: np.isnan(X)
    )
    expected = VAERegressor(LINEAR).fit(X, y).predict(X)
    with config_context(transform_output="polars"):
        found = VAERegressor(imputer).fit(X, y).predict(X)
    np.testing.assert_array_equal(found, expected)


def test_imputer_given_stays_as_it_is_and_the_seed_is_ours(clusters):
    X, y = clusters
    imputer = clone(TINY).set_params(random_state=1)
    before = imputer.get_params()
    one = VAEClassifier(imputer).fit(X, y)
    assert imputer.get_params() == before
    assert not hasattr(imputer, "n_features_in_")
    other = VAEClassifier(TINY, random_state=1).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert one.set_params(random_state=2).fit(X, y).imputer_.random_state == 2


def test_parameters_are_checked(clusters):
    X, y = clusters
    with pytest.raises(ValueError, match="'imputer' parameter of VAEClassifier must"):
        VAEClassifier(imputer=VAEImputer).fit(X, y)
    with pytest.raises(ValueError, match="'max_iter' parameter of VAEImputer must"):
        VAEClassifier(VAEImputer(max_iter=0)).fit(X, y)
    with pytest.raises(ValueError, match="categorical_features: got 'age', expected"):
        VAEClassifier(VAEImputer(categorical_features=["age"])).fit(X, y)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([None, np.nan, pd.NA], ValueError, "y: got no label in 3 rows"),
        (["?", "?", None], ValueError, "y: got no label in 3 rows"),
        (["a", "a", None], ValueError, "y: got one class, 'a', expected at least two"),
        ([1, 1, 1], ValueError, "y: got one class, 1, expected"),
        ([0.5, 1.5, None], ValueError, "Unknown label type: continuous: got 0.5"),
        ([1.0, 2.0, np.inf], ValueError, "y: got infinity, expected finite labels"),
        (["a", 1, 2], TypeError, "y: got labels of types .'int', 'str'., expected one"),
        ([0, 1], ValueError, "inconsistent numbers of samples: .3, 2."),
        (np.eye(3), ValueError, r"1d array: got an array of shape \(3, 3\)"),
        (None, ValueError, "requires y to be passed, but the target y is None"),
    ],
)
def test_error_of_labels(y, error, message):
    X = np.arange(6.0).reshape(3, 2)
    with pytest.raises(error, match=message):
        VAEClassifier(LINEAR, unlabeled="?").fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([None, np.nan, pd.NA], "y: got no label in 3 rows"),
        (["a", "b", None], "y: got labels of dtype object, expected numbers: .*'a'"),
        (pd.to_datetime(["2020-01-01"] * 3), "of dtype datetime64.*expected numbers"),
        ([1.0, -np.inf, np.nan], "y: got infinity, expected finite labels"),
        ([1 + 1j, 2, 3], "of dtype complex128, expected numbers"),
        (np.ones((3, 2)), r"1d array: got an array of shape \(3, 2\)"),
    ],
)
def test_error_of_numbers(y, message):
    X = np.arange(6.0).reshape(3, 2)
    with pytest.raises(ValueError, match=message):
        VAERegressor(LINEAR).fit(X, y)


@pytest.mark.parametrize("convert", [np.asarray, pd.DataFrame, pl.DataFrame])
def test_labels_in_one_column_are_taken_with_a_warning(clusters, convert):
    X, y = clusters
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        found = VAEClassifier(LINEAR).fit(X, convert(y[:, None]))
    expected = VAEClassifier(LINEAR).fit(X, y)
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


def test_errors_of_features_name_the_column(people):
    X, party, _ = people
    with pytest.raises(ValueError, match="Column 'age': got infinity"):
        VAEClassifier(LINEAR).fit(X.assign(age=np.inf), party)
    classifier = VAEClassifier(LINEAR).fit(X, party)
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(X[["age", "job", "y"]])
    with pytest.raises(ValueError, match="Column 'age': got 'old'"):
        classifier.predict(X.assign(age="old"))


def test_failed_fit_changes_nothing(clusters):
    X, y = clusters
    classifier = VAEClassifier(LINEAR)
    with pytest.raises(ValueError, match="one class"):
        classifier.fit(X, np.zeros(206))
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    expected = classifier.fit(X, y).predict_proba(X)
    with pytest.raises(ValueError, match="infinity"):
        classifier.fit(np.full((206, 2), np.inf), np.where(y, "a", "b"))
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)
    assert classifier.classes_.tolist() == [0, 1]
