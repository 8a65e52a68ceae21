import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from vaeimpute import VAEImputer
from vaeimpute.model_selection import hidden_cell_score

METRICS = ["nrmse", "mae", "accuracy"]
TINY_VAE = VAEImputer(
    n_components=2, hidden_layer_sizes=(8,), max_iter=2, random_state=0
)


class Oracle(TransformerMixin, BaseEstimator):
    """Answers with a table made beforehand, and remembers what it was asked."""

    def __init__(self, answer, missing_values=np.nan):
        self.answer = answer
        self.missing_values = missing_values

    def transform(self, X):
        self.asked = X
        return self.answer


class Latent(ClassNamePrefixFeaturesOutMixin, KNNImputer):
    """Knows missing values, but gives new columns."""


class Recorder(SimpleImputer):
    """Records where the tables have holes, for all clones in a search."""

    holes = []  # noqa: RUF012

    def transform(self, X):
        self.holes.append(np.isnan(X))
        return super().transform(X)


@pytest.fixture
def complete():
    """Four columns that depend on one latent size, in different units."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=(120, 1))
    return (size + 0.3 * rng.normal(size=(120, 4))) * [1.0, 10.0, 0.1, 3.0] + 2.0


@pytest.fixture
def incomplete(complete):
    missing = np.random.default_rng(1).random(complete.shape) < 0.1
    return np.where(missing, np.nan, complete)


def holes(oracle):
    return pd.DataFrame(oracle.asked).isna().to_numpy()


# Which cells are hidden


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
def test_hides_the_exact_share_of_the_observed_cells_of_each_column(
    fraction, complete, incomplete
):
    oracle = Oracle(complete)

    hidden_cell_score(fraction=fraction)(oracle, incomplete)

    observed = ~np.isnan(incomplete)
    n_hidden = (holes(oracle) & observed).sum(axis=0)
    assert n_hidden.tolist() == [round(fraction * n) for n in observed.sum(axis=0)]
    # All cells that are left are as they were.
    left = ~holes(oracle)
    np.testing.assert_array_equal(oracle.asked[left], incomplete[left])


def test_hides_one_cell_of_two_but_not_the_only_one():
    X = np.array([[1.0, 1.0, np.nan], [2.0, np.nan, np.nan], [np.nan] * 3])
    oracle = Oracle(np.zeros((3, 3)))

    hidden_cell_score(fraction=0.01)(oracle, X)

    assert (holes(oracle) & ~np.isnan(X)).sum(axis=0).tolist() == [1, 0, 0]


def test_seed_chooses_the_cells(complete):
    oracles = [Oracle(complete) for _ in range(3)]
    for oracle, seed in zip(oracles, [3, 3, 4], strict=True):
        hidden_cell_score(random_state=seed)(oracle, complete)

    first, same, other = map(holes, oracles)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_each_candidate_and_metric_sees_the_same_cells(incomplete):
    Recorder.holes.clear()
    search = GridSearchCV(
        Recorder(),
        {"strategy": ["mean", "median", "most_frequent"]},
        scoring={metric: hidden_cell_score(metric=metric) for metric in METRICS[:2]},
        refit=False,
        cv=2,
    )

    search.fit(incomplete)

    seen = np.array(Recorder.holes).reshape(3, 2, 2, 60, 4)  # candidate, fold, metric
    np.testing.assert_array_equal(seen, np.broadcast_to(seen[:1, :, :1], seen.shape))


def test_each_metric_hides_cells_of_all_columns(mixed_table):
    oracles = [Oracle(mixed_table.ffill().bfill()) for _ in METRICS]
    for oracle, metric in zip(oracles, METRICS, strict=True):
        hidden_cell_score(metric=metric)(oracle, mixed_table)

    first, *others = map(holes, oracles)
    assert (first.sum(axis=0) > mixed_table.isna().sum()).all()
    for other in others:
        np.testing.assert_array_equal(first, other)


# What the score is


@pytest.mark.parametrize("metric", ["nrmse", "mae"])
def test_constant_error_is_scored_in_standard_deviations(metric, complete):
    column = complete[:, [1]]

    score = hidden_cell_score(metric=metric)(Oracle(column + 4.0), column)

    assert score == pytest.approx(-4.0 / column.std())


@pytest.mark.parametrize("metric", ["nrmse", "mae"])
def test_error_of_half_a_standard_deviation_in_each_column(metric, complete):
    oracle = Oracle(complete + 0.5 * complete.std(axis=0))

    assert hidden_cell_score(metric=metric)(oracle, complete) == pytest.approx(-0.5)


def test_only_hidden_cells_are_scored(complete, incomplete):
    oracle = Oracle(complete)
    score = hidden_cell_score()
    assert score(oracle, incomplete) == 0.0
    hidden = holes(oracle) & ~np.isnan(incomplete)

    assert score(Oracle(np.where(hidden, complete, np.nan)), incomplete) == 0.0
    assert score(Oracle(np.where(hidden, 0.0, complete)), incomplete) < 0.0


def test_filling_the_mean_scores_about_minus_one():
    X = np.random.default_rng(0).normal(size=(20_000, 2)) * [1.0, 50.0]

    score = hidden_cell_score()(SimpleImputer().fit(X), X)

    assert score == pytest.approx(-1.0, abs=0.03)


def test_accuracy_is_the_share_of_right_levels():
    X = pd.DataFrame({"flag": ["yes"] * 7 + ["no"] * 3})

    guess = SimpleImputer(strategy="constant", fill_value="yes").fit(X)
    scores = [
        hidden_cell_score(metric="accuracy", fraction=0.5, random_state=seed)(guess, X)
        for seed in range(200)
    ]

    assert set(scores) <= {0.4, 0.6, 0.8, 1.0}  # five hidden cells, three "no" at most
    assert np.mean(scores) == pytest.approx(0.7, abs=0.03)


def test_a_level_that_the_rows_do_not_have_is_wrong():
    X = pd.DataFrame({"flag": ["yes", "no"] * 5})
    guess = SimpleImputer(strategy="constant", fill_value="maybe").fit(X)

    assert hidden_cell_score(metric="accuracy")(guess, X) == 0.0


def test_score_is_a_python_float(complete):
    assert type(hidden_cell_score()(Oracle(complete), complete)) is float


def test_cell_left_missing_is_an_error(complete):
    with pytest.raises(ValueError, match=r"^filled: got nan in 96 of 96 values of"):
        hidden_cell_score()(Oracle(np.full_like(complete, np.nan)), complete)


# Kinds of tables


@pytest.mark.parametrize(
    ("dtype", "dtype_with_holes"),
    [
        ("float64", "float64"),
        ("float32", "float32"),
        ("int64", "float64"),
        ("uint8", "float64"),
        ("Int64", "Int64"),
        ("Float32", "Float32"),
        ("object", "object"),
    ],
)
@pytest.mark.parametrize("error", [0.0, 1.0])
def test_frame_of_numbers(dtype, dtype_with_holes, error):
    X = pd.DataFrame({"n": range(20)}, index=range(5, 25)).astype(dtype)
    before = X.copy()
    oracle = Oracle(X.astype(float) + error * X.astype(float).std(ddof=0))

    score = hidden_cell_score()(oracle, X)

    assert score == pytest.approx(-error)
    assert oracle.asked.dtypes["n"] == dtype_with_holes
    assert holes(oracle).sum() == 4
    pd.testing.assert_frame_equal(X, before)
    pd.testing.assert_index_equal(oracle.asked.index, X.index)


@pytest.mark.parametrize("as_array", [False, True])
@pytest.mark.parametrize(
    ("levels", "dtype"),
    [
        (["a", "b"], pd.CategoricalDtype(["c", "b", "a"], ordered=True)),
        ([1, 2], pd.CategoricalDtype([3, 1, 2])),
        (["a", "b"], "string"),
        (["a", "b"], "str"),
        (["a", "b"], "object"),
        ([False, True], "boolean"),
        ([False, True], "bool"),
    ],
)
def test_frame_of_levels(levels, dtype, as_array):
    X = pd.DataFrame({"flag": levels * 10}).astype(dtype)
    before = X.copy()
    oracle = Oracle(X.to_numpy() if as_array else X)
    score = hidden_cell_score(metric="accuracy")

    assert score(oracle, X) == 1.0
    with_holes = "object" if dtype == "bool" else X["flag"].dtype
    assert oracle.asked["flag"].dtype == with_holes
    assert holes(oracle).sum() == 4
    assert score(Oracle(oracle.answer[::-1]), X) == 0.0
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("metric", METRICS)
def test_mixed_frame_and_its_array(metric, mixed_table):
    imputer = Oracle(mixed_table.ffill().bfill())
    expected = hidden_cell_score(metric=metric)(imputer, mixed_table)

    objects = imputer.answer.astype(object).to_numpy()
    score = hidden_cell_score(metric=metric)(Oracle(objects), mixed_table)

    assert score == expected
    assert expected == (1.0 if metric == "accuracy" else 0.0)


def test_most_frequent_level_of_a_frame_of_all_that_scikit_learn_fills():
    X = pd.DataFrame(
        {
            "number": [1.0, 2.0] * 10,
            "count": [1, 2] * 10,
            "flag": [False, True] * 10,
            "text": np.array(["a", "b"] * 10, dtype=object),
            "level": pd.Categorical(["a", "b"] * 10),
        }
    )
    imputer = SimpleImputer(strategy="most_frequent").fit(X)  # the first of equals
    assert imputer.statistics_.tolist() == [1.0, 1, False, "a", "a"]
    score = hidden_cell_score(metric="accuracy")
    oracle = Oracle(X)
    score(oracle, X)

    is_first = X.eq(imputer.statistics_).to_numpy()[:, 2:]
    expected = is_first[holes(oracle)[:, 2:]].mean()

    assert 0.0 < expected < 1.0
    assert score(imputer, X) == expected


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "object"])
def test_array_of_each_dtype(dtype):
    X = np.array([[0, 1], [1, 0]] * 10).astype(dtype)
    before = X.copy()
    metric = "accuracy" if dtype == "bool" else "nrmse"

    oracle = Oracle(X.copy())
    score = hidden_cell_score(metric=metric)(oracle, X)

    assert score == (1.0 if metric == "accuracy" else 0.0)
    holds_nan = dtype in ("float32", "object")
    assert oracle.asked.dtype == (dtype if holds_nan else "float64")
    assert holes(oracle).sum() == 8
    np.testing.assert_array_equal(X, before)


def test_array_of_text_and_list():
    X = [["a", 1.0], ["b", 2.0]] * 10
    imputer = SimpleImputer(strategy="most_frequent")

    as_list = hidden_cell_score()(imputer.fit(X), X)
    as_array = hidden_cell_score()(imputer, np.array(X, dtype=object))
    text = np.array(X)[:, :1]
    oracle = Oracle(text)

    assert as_list == as_array < 0.0
    assert hidden_cell_score(metric="accuracy")(oracle, text) == 1.0
    assert holes(oracle).sum() == 4


def test_read_only_array(complete):
    complete.flags.writeable = False

    assert hidden_cell_score()(Oracle(complete), complete) == 0.0


def test_listed_columns_are_nominal():
    X = np.array([[1.0, 5.0], [2.0, 5.5]] * 10)
    imputer = Oracle(X[::-1] * [1.0, 0.0] + X * [0.0, 1.0])
    imputer.categorical_features = [0]

    assert hidden_cell_score(metric="accuracy")(imputer, X) == 0.0
    assert hidden_cell_score(metric="nrmse")(imputer, X) == 0.0


@pytest.mark.parametrize("metric", METRICS)
def test_no_column_for_the_metric_is_an_error(metric, complete):
    X = pd.DataFrame(complete) if metric == "accuracy" else pd.DataFrame({"a": ["b"]})

    with pytest.raises(ValueError, match=f"^metric: got '{metric}', expected a table"):
        hidden_cell_score(metric=metric)(Oracle(X), X)


# Imputers of scikit-learn


def test_sentinel_hides_the_cells(incomplete):
    nan = hidden_cell_score()(KNNImputer().fit(incomplete), incomplete)
    coded = np.where(np.isnan(incomplete), -99.0, incomplete)

    imputer = KNNImputer(missing_values=-99).fit(coded)

    assert hidden_cell_score()(imputer, coded) == nan


@pytest.mark.parametrize(
    "dtype", ["float64", "int64", "uint8", "bool", "object", "Int64", "boolean"]
)
def test_number_as_sentinel_in_each_dtype(dtype):
    X = pd.DataFrame({"n": [0, 1] * 10}).astype(dtype)
    metric = "accuracy" if "bool" in dtype else "nrmse"
    oracle = Oracle(X, missing_values=-1)

    score = hidden_cell_score(metric=metric)(oracle, X)

    assert score == (1.0 if metric == "accuracy" else 0.0)
    assert (oracle.asked["n"] == -1).sum() == 4


@pytest.mark.parametrize(
    "dtype", ["category", "object", "str", "string", "float64", "Int64", "bool"]
)
def test_text_as_sentinel_in_each_dtype(dtype):
    is_text = dtype in ("category", "object", "str", "string")
    X = pd.DataFrame({"a": (["b", "c"] if is_text else [0, 1]) * 10}).astype(dtype)
    metric = "accuracy" if is_text or dtype == "bool" else "nrmse"
    oracle = Oracle(X, missing_values="?")

    score = hidden_cell_score(metric=metric)(oracle, X)

    assert score == (1.0 if metric == "accuracy" else 0.0)
    assert (oracle.asked["a"] == "?").sum() == 4
    if is_text:
        most_frequent = SimpleImputer(strategy="most_frequent", missing_values="?")
        assert 0.0 <= hidden_cell_score(metric=metric)(most_frequent.fit(X), X) < 1.0


def test_filled_number_may_equal_the_sentinel():
    X = np.array([[-1.0], [1.0]] * 10)
    imputer = SimpleImputer(missing_values=0).fit(X)
    assert imputer.statistics_ == [0.0]

    assert hidden_cell_score()(imputer, X) == pytest.approx(-1.0)


@pytest.mark.parametrize("missing_values", [None, np.nan, pd.NA])
def test_object_cells_are_hidden_by_the_marker_of_the_imputer(missing_values):
    X = np.array([["a"], ["b"]] * 10, dtype=object)
    imputer = SimpleImputer(strategy="most_frequent", missing_values=missing_values)

    score = hidden_cell_score(metric="accuracy")(imputer.fit(X), X)

    assert score in {0.0, 0.25, 0.5, 0.75, 1.0}
    frame = pd.DataFrame(X, dtype=object)
    assert hidden_cell_score(metric="accuracy")(imputer.fit(frame), frame) == score


@pytest.mark.parametrize("missing_values", [np.nan, pd.NA])
@pytest.mark.parametrize("container", [np.array, pd.DataFrame])
def test_numbers_are_hidden_by_nan(missing_values, container, incomplete):
    X = container(incomplete)
    expected = hidden_cell_score()(SimpleImputer().fit(incomplete), incomplete)

    imputer = SimpleImputer(missing_values=missing_values).fit(X)

    assert hidden_cell_score()(imputer, X) == pytest.approx(expected)


@pytest.mark.parametrize("is_frame", [False, True])
def test_indicators_and_dropped_columns(is_frame, incomplete):
    X = np.insert(incomplete, 1, np.nan, axis=1)
    if is_frame:
        X = pd.DataFrame(X, columns=list("abcde"))
    expected = hidden_cell_score()(KNNImputer().fit(incomplete), incomplete)

    imputer = KNNImputer(add_indicator=True).fit(X)

    assert imputer.transform(X).shape == (120, 4 + 5)
    assert hidden_cell_score()(imputer, X) == pytest.approx(expected)


def test_dropped_columns_are_not_scored(incomplete):
    train = incomplete.copy()
    train[:, 2] = np.nan
    scored = []
    for X in (incomplete, incomplete * [1.0, 1.0, 1e9, 1.0]):
        imputer = KNNImputer(n_neighbors=120).fit(train)
        scored.append(hidden_cell_score()(imputer, X))

    assert -1.2 < scored[0] < -0.8
    assert scored[0] == scored[1]


def test_columns_that_an_imputer_gives_but_does_not_name(incomplete):
    # Of scikit-learn 1.9; the names lack the empty column.
    incomplete[:, 1] = np.nan
    imputer = KNNImputer(keep_empty_features=True).fit(incomplete)

    assert -1.0 < hidden_cell_score()(imputer, incomplete) < 0.0


def test_imputer_without_names_must_keep_the_columns(complete):
    assert hidden_cell_score()(Oracle(complete), complete) == 0.0
    with pytest.raises(ValueError, match="got 3 columns from the transform of Oracle"):
        hidden_cell_score()(Oracle(complete[:, 1:]), complete)


@pytest.mark.parametrize("output", ["pandas", "default"])
def test_frame_in_and_frame_or_array_out(output, incomplete):
    X = pd.DataFrame(incomplete, columns=list("abcd"))
    expected = hidden_cell_score()(KNNImputer().fit(incomplete), incomplete)

    imputer = KNNImputer().set_output(transform=output).fit(X)

    assert hidden_cell_score()(imputer, X) == pytest.approx(expected)


# Pipelines


def scaled(X):
    return StandardScaler().fit_transform(X)


def test_scaler_before_the_imputer_compares_scaled_with_scaled(incomplete):
    pipeline = make_pipeline(StandardScaler(), KNNImputer()).fit(incomplete)
    X = scaled(incomplete)

    score = hidden_cell_score()(pipeline, incomplete)

    assert score == hidden_cell_score()(KNNImputer().fit(X), X)
    assert -1.0 < score < 0.0


def test_nested_pipelines_and_skipped_steps(incomplete):
    plain = make_pipeline(StandardScaler(), KNNImputer()).fit(incomplete)
    nested = Pipeline(
        [
            ("scale", make_pipeline("passthrough", StandardScaler())),
            ("nothing", None),
            ("impute", Pipeline([("inner", make_pipeline(None, KNNImputer()))])),
        ]
    ).fit(incomplete)

    score = hidden_cell_score()

    assert score(nested, incomplete) == score(plain, incomplete)


def test_steps_after_the_imputer_do_not_matter(incomplete):
    y = (np.arange(120) % 2).astype(int)
    alone = KNNImputer().fit(incomplete)
    followed = make_pipeline(KNNImputer(), StandardScaler(), PCA(2), GaussianNB()).fit(
        incomplete, y
    )

    score = hidden_cell_score()

    assert score(followed, incomplete, y) == score(alone, incomplete)


def test_first_of_two_imputers_is_scored(incomplete):
    two = make_pipeline(KNNImputer(), SimpleImputer()).fit(incomplete)

    score = hidden_cell_score()

    assert score(two, incomplete) == score(KNNImputer().fit(incomplete), incomplete)


def test_fitted_search_is_scored_by_its_best_estimator(incomplete):
    score = hidden_cell_score()
    search = GridSearchCV(KNNImputer(), {"n_neighbors": [1, 5]}, scoring=score)

    search.fit(incomplete)

    assert score(search, incomplete) == score(search.best_estimator_, incomplete)


@pytest.mark.parametrize(
    "estimator",
    [
        StandardScaler(),
        PCA(2),
        MissingIndicator(),
        Latent(),
        make_pipeline(StandardScaler()),
        ColumnTransformer([("impute", KNNImputer(), [0, 1])]),
        make_pipeline(ColumnTransformer([("impute", KNNImputer(), [0, 1])])),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_no_imputer_is_an_error(estimator, complete):
    with pytest.raises(ValueError, match=r"without an imputer .* ColumnTransformer"):
        hidden_cell_score()(estimator.fit(complete), complete)


# Searches


@pytest.mark.parametrize("y", [None, np.arange(120) % 2])
def test_search_ranks_numbers_of_neighbors(y, incomplete):
    grid = {"n_neighbors": [1, 10, 90]}
    search = GridSearchCV(KNNImputer(), grid, scoring=hidden_cell_score(), cv=3)

    search.fit(scaled(incomplete), y)

    few, some, all_rows = search.cv_results_["mean_test_score"]
    assert all_rows < few < some < 0.0
    assert all_rows == pytest.approx(-1.0, abs=0.2)
    assert search.best_params_ == {"n_neighbors": 10}


def test_search_in_parallel_gives_the_same_scores(incomplete):
    grid = {"knnimputer__n_neighbors": [1, 10]}
    pipeline = make_pipeline(StandardScaler(), KNNImputer())
    results = [
        GridSearchCV(pipeline, grid, scoring=hidden_cell_score(), cv=2, n_jobs=n_jobs)
        .fit(incomplete)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]

    np.testing.assert_array_equal(*results)


def test_cross_validation_of_a_classifier_scores_its_imputer(incomplete):
    y = np.arange(120) % 2
    classifier = make_pipeline(KNNImputer(), StandardScaler(), GaussianNB())

    scores = cross_validate(
        classifier,
        incomplete,
        y,
        cv=3,
        scoring={"filled": hidden_cell_score(), "classified": "accuracy"},
    )
    alone = cross_val_score(
        KNNImputer(), incomplete, y, cv=3, scoring=hidden_cell_score()
    )

    assert scores["test_filled"].shape == scores["test_classified"].shape == (3,)
    assert np.isfinite(alone).all()


def test_cross_val_score_of_a_mixed_frame(mixed_table):
    # Columns that scikit-learn can fill: it knows no NA in a table with text.
    X = mixed_table[["height", "weight", "region", "job"]]
    imputer = SimpleImputer(strategy="most_frequent")

    for metric in METRICS:
        scores = cross_val_score(
            imputer, X, cv=3, scoring=hidden_cell_score(metric=metric)
        )
        assert np.isfinite(scores).all()


def test_scorer_survives_pickle_and_clone(incomplete):
    score = hidden_cell_score(fraction=0.3, metric="mae", random_state=5)
    imputer = KNNImputer().fit(incomplete)
    search = GridSearchCV(imputer, {"n_neighbors": [1]}, scoring=score)

    for copy in (pickle.loads(pickle.dumps(score)), clone(search).scoring):
        assert copy == score
        assert copy(imputer, incomplete) == score(imputer, incomplete)
    assert "fraction=0.3, metric='mae', random_state=5" in repr(score)


# The imputer of this package


@pytest.mark.parametrize("metric", METRICS)
def test_vae_imputer_on_a_mixed_frame(metric, mixed_table):
    before = mixed_table.copy()
    imputer = clone(TINY_VAE).fit(mixed_table)

    score = hidden_cell_score(metric=metric)(imputer, mixed_table)

    assert (0.0 < score <= 1.0) if metric == "accuracy" else (-2.0 < score < 0.0)
    pd.testing.assert_frame_equal(mixed_table, before)


def test_vae_imputer_in_a_searched_pipeline(incomplete):
    pipeline = make_pipeline(StandardScaler(), clone(TINY_VAE))
    search = GridSearchCV(
        pipeline,
        {"vaeimputer__n_components": [1, 2]},
        scoring=hidden_cell_score(),
        cv=2,
    )

    search.fit(incomplete)

    assert (search.cv_results_["mean_test_score"] < 0.0).all()
    assert (search.cv_results_["mean_test_score"] > -1.0).all()  # better than the mean


def test_vae_imputer_with_listed_columns_after_a_step(mixed_table):
    X = mixed_table[["height", "children"]]
    pipeline = make_pipeline(
        FunctionTransformer(lambda table: table[["children", "height"]]),
        clone(TINY_VAE).set_params(categorical_features=[0]),
    ).fit(X)

    assert 0.0 <= hidden_cell_score(metric="accuracy")(pipeline, X) <= 1.0


# Parameters


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("fraction", value) for value in (0, 1, 0.0, 1.0, -0.1, True, "0.2", np.nan)),
        *(("metric", value) for value in ("rmse", "", None, ["nrmse"])),
        *(("random_state", value) for value in (None, -1, 0.5, True, "0")),
    ],
)
def test_wrong_parameter_is_an_error_at_once(name, value):
    with pytest.raises(ValueError, match=f"^{name}: got "):
        hidden_cell_score(**{name: value})


def test_parameters_may_be_numpy_scalars():
    score = hidden_cell_score(fraction=np.float32(0.5), random_state=np.int64(3))

    assert score == hidden_cell_score(fraction=0.5, random_state=3)
