"""scikit-learn's own checks, and their twins with missing cells in the data.

The checks feed tables without a missing cell, so `transform` is the identity in nearly
all of them: the twins repeat the promises where cells are filled.
"""

import json
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.base import (
    BaseEstimator,
    clone,
    is_classifier,
    is_outlier_detector,
    is_regressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from vaeimpute import (
    VAEClassifier,
    VAEImputer,
    VAEOutlierDetector,
    VAERegressor,
    VAETransformer,
)
from vaeimpute.inference import (
    MultipleImputationClassifier,
    MultipleImputationRegressor,
)

SIZES = {"hidden_layer_sizes": (8,), "max_iter": 2, "batch_size": 32}

TINY = VAEImputer(n_components=2, **SIZES, random_state=0)

LINEAR = VAEImputer(n_components=2, hidden_layer_sizes=(), random_state=0)

# All epochs are trained, or networks that do not pay would be left out.
TRANSFORMERS = [
    TINY,
    VAETransformer(n_components=2, **SIZES, early_stopping=False, random_state=0),
]
ESTIMATORS = [
    *TRANSFORMERS,
    *(of(TINY) for of in (VAEClassifier, VAERegressor, VAEOutlierDetector)),
    MultipleImputationClassifier(LogisticRegression(), LINEAR, n_imputations=2),
    MultipleImputationClassifier(DecisionTreeClassifier(random_state=0), LINEAR),
    MultipleImputationRegressor(LinearRegression(), LINEAR, n_imputations=2),
]


def name_of(argument):
    if isinstance(argument, BaseEstimator):
        return type(argument).__name__
    return argument if isinstance(argument, str) else argument.func.__name__


# What parametrize_with_checks does, which in scikit-learn 1.6 hands over a generator
# that pytest 9 warns of.
@pytest.mark.parametrize(
    ("estimator", "check"),
    [(e, check) for e in ESTIMATORS for _, check in estimator_checks_generator(e)],
    ids=name_of,
)
def test_check_of_scikit_learn(estimator, check):
    check(clone(estimator))


LEFT_OUT = [
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_param_validation",
]
LEFT_OUT_OF_TRANSFORMERS = [
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


# These checks give arrays to estimators fitted on frames, and the other way around.
@pytest.mark.filterwarnings("ignore:X .* feature names:UserWarning")
@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        *product(ESTIMATORS, LEFT_OUT),
        *product(TRANSFORMERS, LEFT_OUT_OF_TRANSFORMERS),
    ],
    ids=name_of,
)
def test_check_that_check_estimator_leaves_out(estimator, name):
    getattr(estimator_checks, name)(name_of(estimator), clone(estimator))


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator",
    [
        "VAEImputer()",
        # Few epochs or the core alone: the imputer has all of its defaults.
        "VAETransformer(max_iter=10)",
        "VAEClassifier(VAEImputer(hidden_layer_sizes=()))",
        "VAERegressor(VAEImputer(hidden_layer_sizes=()))",
        "VAEOutlierDetector(VAEImputer(hidden_layer_sizes=()))",
    ],
)
def test_defaults_pass_every_check_with_none_skipped(estimator):
    # In a process of its own: SciPy reads the variable when it is imported, and
    # without it the array API check is skipped.
    code = (
        "import json\n"
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from vaeimpute import *\n"
        f"results = check_estimator({estimator}, on_skip=None, on_fail=None)\n"
        "print(json.dumps([[r['check_name'], r['status']] for r in results]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=1_200,
    )
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) >= 40
    assert [name for name, status in results if status != "passed"] == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_tags_excuse_nothing(estimator):
    tags = get_tags(estimator)
    assert not tags.non_deterministic
    assert not tags.no_validation
    assert not tags._skip_test
    assert tags.requires_fit
    assert tags.input_tags.allow_nan
    predicts = is_classifier(estimator) or is_regressor(estimator)
    assert tags.target_tags.required == predicts
    for of_kind in filter(None, (tags.classifier_tags, tags.regressor_tags)):
        assert not of_kind.poor_score


def test_outlier_detector_says_that_it_is_one():
    assert is_outlier_detector(VAEOutlierDetector())


@pytest.fixture
def numbers():
    """40 rows of three numbers that depend on one another, a fifth missing."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1)) + 0.5 * rng.normal(size=(40, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[7] = np.nan  # a row with nothing observed
    return X


@pytest.fixture(params=["array", "frame"])
def table(request, numbers, mixed_table):
    return numbers if request.param == "array" else mixed_table


def take(table, rows):
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]


def assert_identical(left, right):
    """Assert equality to the bit, of dtypes, index and columns as well."""
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    else:
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def n_missing(table):
    return int(np.sum(np.asarray(pd.isna(table))))


def test_row_is_filled_alike_whatever_rows_are_beside_it(table):
    imputer = clone(TINY).fit(table)
    whole, density = imputer.transform(table), imputer.score_samples(table)
    assert n_missing(table)
    assert not n_missing(whole)
    for rows in ([3], [0, 5, 6], slice(1, 38)):
        assert_identical(imputer.transform(take(table, rows)), take(whole, rows))
        some = imputer.score_samples(take(table, rows))
        np.testing.assert_array_equal(some, density[rows])


def test_order_of_the_rows_does_not_matter(table):
    imputer = clone(TINY).fit(table)
    order = np.random.default_rng(1).permutation(len(table))
    shuffled = take(table, order)
    whole, density = imputer.transform(table), imputer.score_samples(table)
    assert_identical(imputer.transform(shuffled), take(whole, order))
    np.testing.assert_array_equal(imputer.score_samples(shuffled), density[order])


def test_more_rows_than_a_block_are_filled_like_one_by_one(numbers):
    imputer = clone(TINY).fit(numbers)
    many = np.tile(numbers, (20, 1))
    once = imputer.transform(numbers)
    np.testing.assert_array_equal(imputer.transform(many), np.tile(once, (20, 1)))


def test_second_fit_gives_the_same_model(table):
    imputer = clone(TINY).fit(table)
    first, losses = imputer.transform(table), imputer.loss_curve_
    assert_identical(imputer.fit(table).transform(table), first)
    assert imputer.loss_curve_ == losses
    assert_identical(clone(TINY).fit_transform(table), first)


def test_fit_forgets_the_table_before(numbers, mixed_table):
    imputer = clone(TINY).fit(mixed_table).fit(numbers)
    assert not hasattr(imputer, "feature_names_in_")
    assert imputer.n_features_in_ == 3
    expected = clone(TINY).fit_transform(numbers)
    np.testing.assert_array_equal(imputer.transform(numbers), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_dtype_and_bits(numbers, dtype):
    X = numbers.astype(dtype)
    filled = clone(TINY).fit_transform(X)
    assert filled.dtype == dtype
    assert np.isfinite(filled).all()
    observed = ~np.isnan(X)
    np.testing.assert_array_equal(filled[observed], X[observed])


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8])
def test_integers_stay_integers(numbers, dtype):
    X = np.where(np.isnan(numbers), 99, np.abs(10 * numbers)).astype(dtype)
    filled = clone(TINY).set_params(missing_values=99).fit_transform(X)
    assert filled.dtype == np.float64
    np.testing.assert_array_equal(filled, np.rint(filled))
    np.testing.assert_array_equal(filled[X != 99], X[X != 99])
    assert not np.any(filled == 99)


def test_single_precision_is_filled_like_double(numbers):
    double = clone(TINY).fit_transform(numbers)
    single = clone(TINY).fit_transform(numbers.astype(np.float32))
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-3)


def test_one_row_with_a_missing_cell():
    X = np.array([[1.0, np.nan, 3.0]])
    imputer = clone(TINY)
    with pytest.warns(UserWarning, match="Skipping features without any observed"):
        imputer.fit(X)
    np.testing.assert_array_equal(imputer.transform(X), [[1.0, 3.0]])
    filled = imputer.transform(np.array([[np.nan, 5.0, np.nan]]))
    np.testing.assert_allclose(filled, [[1.0, 3.0]], rtol=1e-6)


def test_one_column_with_missing_cells():
    X = np.array([[1.0], [np.nan], [2.0], [4.0], [np.nan]])
    filled = clone(TINY).fit_transform(X)
    assert filled[1] == filled[4]
    assert 1.0 < filled[1, 0] < 4.0


def test_read_only_memory_map_in_row_or_column_order(numbers, tmp_path):
    expected = clone(TINY).fit_transform(numbers)
    np.save(tmp_path / "rows.npy", numbers)
    np.save(tmp_path / "columns.npy", np.asfortranarray(numbers))
    for name in ("rows.npy", "columns.npy"):
        X = np.load(tmp_path / name, mmap_mode="r")
        imputer = clone(TINY).fit(X)
        np.testing.assert_array_equal(imputer.transform(X), expected)


@pytest.mark.parametrize("convert", [np.ndarray.tolist, pd.DataFrame, memoryview])
def test_array_likes_are_filled_like_the_array(numbers, convert):
    expected = clone(TINY).fit_transform(numbers)
    filled = clone(TINY).fit_transform(convert(numbers))
    np.testing.assert_array_equal(np.asarray(filled), expected)


def test_asking_changes_nothing_in_the_estimator(table):
    imputer = clone(TINY).set_params(add_indicator=True).fit(table)
    before = {name: id(value) for name, value in vars(imputer).items()}
    weights = {name: w.copy() for name, w in imputer._model.weights.items()}
    imputer.transform(table)
    imputer.score(table)
    imputer.score_samples(table)
    imputer.sample(3)
    imputer.get_feature_names_out()
    assert {name: id(value) for name, value in vars(imputer).items()} == before
    for name, weight in imputer._model.weights.items():
        np.testing.assert_array_equal(weight, weights[name])
