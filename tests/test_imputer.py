"""What `VAEImputer` promises of the table that it gives back, and of itself."""

import os
import pickle
import random
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import MissingIndicator

from vaeimpute import VAEImputer

TINY = {
    "n_components": 2,
    "hidden_layer_sizes": (8,),
    "max_iter": 2,
    "batch_size": 32,
    "random_state": 0,
}


def tiny(**parameters):
    return VAEImputer(**TINY | parameters)


@pytest.fixture(scope="module")
def numbers():
    """60 rows of three numbers that depend on one another, a fifth missing."""
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


def exact(cells):
    """Return cells as Python objects with their types; 1, 1.0 and True differ."""
    return [(type(cell), cell) for cell in pd.Series(cells).tolist()]


def assert_only_filled(filled, table):
    """Assert that a frame came back with its missing cells filled, else untouched."""
    pd.testing.assert_index_equal(filled.index, table.index, exact=True)
    pd.testing.assert_index_equal(filled.columns, table.columns, exact=True)
    assert not filled.isna().to_numpy().any()
    for j, dtype in enumerate(table.dtypes):
        assert filled.dtypes.iloc[j] == dtype
        observed = table.iloc[:, j].notna().to_numpy()
        cells, given = filled.iloc[:, j], table.iloc[:, j]
        assert exact(cells[observed]) == exact(given[observed])


# The same table back.

SIZES = pd.CategoricalDtype(["S", "M", "L", "unused"], ordered=True)
NUMBERS = [0, 1, 2, 3, 5, 8]
WORDS = ["S", "M", "L", "L", "M", "S"]
TRUTHS = [True, False, False, True, True, False]

COLUMNS = {
    "float64": (NUMBERS, "float64"),
    "float32": (NUMBERS, "float32"),
    "float16": (NUMBERS, "float16"),
    "Float64": (NUMBERS, "Float64"),
    "Float32": (NUMBERS, "Float32"),
    "Int64": (NUMBERS, "Int64"),
    "Int8": (NUMBERS, "Int8"),
    "UInt16": (NUMBERS, "UInt16"),
    "boolean": (TRUTHS, "boolean"),
    "string": (WORDS, "string"),
    "str": (WORDS, "str"),
    "category": (WORDS, pd.CategoricalDtype(["S", "M", "L"])),
    "ordered category": (WORDS, SIZES),
    "category of numbers": (NUMBERS, pd.CategoricalDtype([8, 5, 3, 2, 1, 0])),
    "object of text": (WORDS, object),
    "object of integers": (NUMBERS, object),
    "object of booleans": (TRUTHS, object),
    "object of text and numbers": (["S", 1, 2.5, "S", 1, 2.5], object),
    "double[pyarrow]": (NUMBERS, "double[pyarrow]"),
    "int64[pyarrow]": (NUMBERS, "int64[pyarrow]"),
    "bool[pyarrow]": (TRUTHS, "bool[pyarrow]"),
    "string[pyarrow]": (WORDS, "string[pyarrow]"),
}


def column(name):
    """Return 42 cells of a dtype, every seventh missing."""
    cells, dtype = COLUMNS[name]
    if "pyarrow" in str(dtype):
        pytest.importorskip("pyarrow")
    return pd.Series([*cells, None] * 6, dtype=dtype)


@pytest.mark.parametrize("name", COLUMNS)
def test_column_of_each_dtype_comes_back(name):
    cells = column(name)
    table = pd.DataFrame({"x": cells, "y": np.linspace(0.1, 7.3, len(cells))})
    filled = tiny().fit_transform(table)
    assert_only_filled(filled, table)
    kinds = {kind for kind, _ in exact(cells.dropna())}
    assert {kind for kind, _ in exact(filled["x"])} <= kinds


@pytest.mark.parametrize("name", COLUMNS)
def test_column_of_each_dtype_alone(name):
    table = column(name).to_frame("x")
    assert_only_filled(tiny().fit_transform(table), table)


def test_mixed_table_comes_back(mixed_table):
    before = mixed_table.copy()
    filled = tiny().fit_transform(mixed_table)
    assert_only_filled(filled, mixed_table)
    pd.testing.assert_frame_equal(mixed_table, before, check_exact=True)


INDICES = {
    "shuffled": np.random.default_rng(1).permutation(60),
    "text": [f"row {i}" for i in range(60)],
    "repeated": np.repeat(["a", "b", "c"], 20),
    "dates": pd.date_range("2020", periods=60),
    "MultiIndex": pd.MultiIndex.from_product([range(20), ["a", "b", "c"]]),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES.keys())
def test_filled_cells_stand_in_their_own_rows(mixed_table, index):
    expected = tiny().fit_transform(mixed_table)
    table = mixed_table.set_axis(index, axis=0)
    filled = tiny().fit_transform(table)
    pd.testing.assert_frame_equal(filled, expected.set_axis(index, axis=0))


def test_columns_keep_their_order(mixed_table):
    table = mixed_table[mixed_table.columns[::-1]]
    filled = tiny().fit_transform(table)
    assert_only_filled(filled, table)
    assert list(filled) == [*mixed_table][::-1]


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2],
        [10, 30, 20],
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]),
    ],
)
def test_labels_other_than_text_stay(numbers, labels):
    table = pd.DataFrame(numbers, columns=labels)
    imputer = tiny().fit(table)
    assert_only_filled(imputer.transform(table), table)
    assert imputer.get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_complete_table_comes_back_as_a_copy(mixed_table):
    imputer = tiny().fit(mixed_table)
    complete = imputer.transform(mixed_table)
    again = imputer.transform(complete)
    pd.testing.assert_frame_equal(again, complete, check_exact=True)
    again.iloc[0, 0] = -1.0
    assert complete.iloc[0, 0] != -1.0


def test_complete_table_can_be_fitted(numbers):
    X = np.nan_to_num(numbers)
    before = X.copy()
    imputer = tiny().fit(X)
    filled = imputer.transform(X)
    np.testing.assert_array_equal(filled, before)
    assert not np.shares_memory(filled, X)
    assert np.isfinite(imputer.transform(numbers)).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_float_array_comes_back(numbers, dtype):
    X = numbers.astype(dtype)
    before = X.copy()
    filled = tiny().fit_transform(X)
    assert type(filled) is np.ndarray
    assert filled.dtype == X.dtype
    observed = ~np.isnan(X)
    np.testing.assert_array_equal(filled[observed], X[observed])
    np.testing.assert_array_equal(X, before)


def test_object_array_comes_back(mixed_table):
    X = mixed_table.to_numpy(dtype=object)
    filled = tiny().fit_transform(X)
    observed = ~pd.isna(X)
    assert filled.dtype == object
    assert exact(filled[observed]) == exact(X[observed])
    assert not pd.isna(filled).any()


def test_object_array_of_numbers_becomes_floats(numbers):
    X = np.where(np.isnan(numbers), None, numbers)
    filled = tiny().fit_transform(X)
    assert filled.dtype == np.float64
    np.testing.assert_array_equal(filled, tiny().fit_transform(numbers))


def test_boolean_array_is_filled_with_booleans():
    X = np.random.default_rng(0).random((40, 2)) < 0.5
    imputer = tiny().fit(X)
    assert imputer.transform(X).dtype == bool
    holed = np.where(X, 1.0, 0.0)
    holed[::5, 0] = np.nan
    assert set(imputer.transform(holed)[:, 0]) == {0.0, 1.0}


def test_list_of_text_and_numbers():
    rows = [["a", 1.5], ["b", None], [None, 2.5], ["b", 2.0]] * 5
    filled = tiny().fit_transform(rows)
    observed = np.array([[cell is not None for cell in row] for row in rows])
    assert exact(filled[observed]) == exact(np.array(rows, dtype=object)[observed])
    assert not pd.isna(filled).any()
    assert set(filled[:, 0]) == {"a", "b"}
    complete = [["a", 1.5], ["b", 2.5]]  # of which NumPy alone would make text
    assert tiny().fit_transform(complete).tolist() == complete


def test_digits_in_text_are_levels():
    filled = tiny().fit_transform([["1", 0.5], ["2", 1.5], [None, 1.0]] * 5)
    assert set(filled[:, 0]) <= {"1", "2"}


def test_polars_frame_gives_an_array(mixed_table):
    polars = pytest.importorskip("polars")
    table = mixed_table[["height", "weight", "job"]]
    columns = {
        name: [None if pd.isna(cell) else cell for cell in table[name]]
        for name in table
    }
    filled = tiny().fit_transform(polars.DataFrame(columns))
    expected = tiny().fit_transform(table)
    np.testing.assert_array_equal(filled, expected.to_numpy(dtype=object))


def test_frame_after_fit_on_an_array(numbers):
    frame = pd.DataFrame(numbers, columns=list("abc"), index=range(100, 160))
    imputer = tiny().fit(numbers)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        filled = imputer.transform(frame)
    assert list(filled) == list(imputer.get_feature_names_out()) == ["x0", "x1", "x2"]
    assert filled.index.equals(frame.index)
    np.testing.assert_array_equal(filled, imputer.transform(numbers))


# Filling new rows.


def test_empty_row_is_filled_like_any_empty_row(mixed_table):
    imputer = tiny().fit(mixed_table)
    empty = mixed_table.iloc[:3].where(np.zeros((3, 6), dtype=bool))
    filled = imputer.transform(empty)
    assert_only_filled(filled, empty)
    assert len(filled.drop_duplicates()) == 1
    for name in ("height", "weight"):
        low, high = mixed_table[name].quantile([0.25, 0.75])
        assert low < filled[name].iloc[0] < high


def test_one_row_is_filled_as_among_others(mixed_table):
    imputer = tiny().fit(mixed_table)
    whole = imputer.transform(mixed_table)
    for row in range(0, 60, 7):
        alone = imputer.transform(mixed_table.iloc[[row]])
        pd.testing.assert_frame_equal(alone, whole.iloc[[row]], check_exact=True)


def test_column_that_is_missing_only_at_transform(mixed_table):
    complete = tiny().fit_transform(mixed_table)
    imputer = tiny().fit(complete)
    for name in complete:
        holed = complete.assign(
            **{name: complete[name].mask(np.arange(len(complete)) % 3 == 0)}
        )
        assert_only_filled(imputer.transform(holed), holed)


def test_numbers_may_be_missing_where_a_dtype_could_not_miss_them():
    table = pd.DataFrame({"n": np.arange(40), "x": np.arange(40) + 0.25})
    imputer = tiny().fit(table)
    filled = imputer.transform(pd.DataFrame({"n": [1.0, np.nan], "x": [1.25, 20.25]}))
    assert filled["n"].dtype == np.float64
    assert filled["n"].iloc[1] == np.rint(filled["n"].iloc[1])


def test_unseen_level_stays_and_counts_as_missing(mixed_table):
    imputer = tiny().fit(mixed_table)
    row = mixed_table.iloc[[0]].copy()
    row["height"] = np.nan
    row["job"] = "astronaut"
    filled = imputer.transform(row)
    assert filled["job"].tolist() == ["astronaut"]
    row["job"] = None
    pd.testing.assert_frame_equal(
        filled.drop(columns="job"), imputer.transform(row).drop(columns="job")
    )


def test_unseen_level_of_a_category_stays(mixed_table):
    imputer = tiny().fit(mixed_table)
    table = mixed_table.iloc[:2].copy()
    table["region"] = pd.Categorical(["moon", None], categories=["moon", "north"])
    filled = imputer.transform(table)
    assert filled["region"].iloc[0] == "moon"
    assert filled["region"].iloc[1] in ("north", "south")


def test_cells_are_filled_from_the_other_columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    sign = np.where(x > 0, "up", "down").astype(object)
    table = pd.DataFrame({"x": x, "double": 2 * x, "sign": sign})
    holed = table.copy()
    holed.loc[::3, "double"] = np.nan
    holed.loc[1::3, "sign"] = None
    filled = tiny(hidden_layer_sizes=()).fit_transform(holed)
    error = (filled["double"] - table["double"])[::3]
    assert np.sqrt(np.mean(error**2)) < 0.2 * table["double"].std()
    assert (filled["sign"] == table["sign"])[1::3].mean() > 0.9


# Kinds of columns.


@pytest.mark.parametrize("n_levels", [1, 2, 300])
def test_column_of_few_or_many_levels(n_levels):
    levels = [f"level {i}" for i in range(n_levels)]
    cells = np.resize(np.array([*levels, *levels, None], dtype=object), 640)
    table = pd.DataFrame({"level": cells})
    filled = tiny().fit_transform(table)
    assert set(filled["level"]) == set(levels)


def test_levels_that_all_differ():
    table = pd.DataFrame({"name": [f"person {i}" for i in range(40)] + [None]})
    with pytest.raises(ValueError, match="'name': got 40 different texts in 40"):
        tiny().fit(table)
    filled = tiny(categorical_features=["name"]).fit_transform(table)
    assert filled["name"].iloc[40] in set(table["name"].iloc[:40])


def test_column_observed_once():
    table = pd.DataFrame(
        {"x": [np.nan, 3.0, np.nan], "level": [None, None, "a"], "y": [1.0, 2.0, 4.0]}
    )
    filled = tiny().fit_transform(table)
    assert filled["x"].tolist() == [3.0, 3.0, 3.0]
    assert filled["level"].tolist() == ["a", "a", "a"]


@pytest.mark.parametrize("given", [["code"], [1], [False, True], np.array([1])])
def test_listed_numbers_are_levels(numbers, given):
    code = np.where(numbers[:, 0] > 5, 10.0, 40.0)
    code[::6] = np.nan
    table = pd.DataFrame({"x": numbers[:, 1], "code": code})
    filled = tiny(categorical_features=given).fit_transform(table)
    assert_only_filled(filled, table)
    assert set(filled["code"]) == {10.0, 40.0}
    means = tiny(categorical_features=None).fit_transform(table)
    assert not set(means["code"]) <= {10.0, 40.0}


def test_listed_column_of_an_array(numbers):
    X = numbers.copy()
    X[:, 1] = np.rint(X[:, 1])
    filled = tiny(categorical_features=[1]).fit_transform(X)
    assert filled.dtype == np.float64
    assert set(filled[:, 1]) <= set(X[:, 1])


# Parameters.


@pytest.mark.parametrize(
    ("sentinel", "dtype"), [(-1, "int64"), (-1, "float32"), ("?", object), (-1, object)]
)
def test_sentinel_is_filled_beside_nan(numbers, sentinel, dtype):
    missing = np.isnan(numbers)
    marked = np.where(missing, sentinel, np.rint(numbers).astype(object)).astype(dtype)
    table = pd.DataFrame(marked, columns=list("abc"))
    table["d"] = numbers[:, 0]
    filled = tiny(missing_values=sentinel).fit_transform(table)
    assert (filled.dtypes == table.dtypes).all()
    values = filled[["a", "b", "c"]].to_numpy()
    assert not np.any(values == sentinel)
    np.testing.assert_array_equal(values[~missing], marked[~missing])
    assert not filled["d"].isna().any()


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA])
def test_every_marker_of_nothing_is_the_same(mixed_table, nothing):
    expected = tiny().fit_transform(mixed_table)
    filled = tiny(missing_values=nothing).fit_transform(mixed_table)
    pd.testing.assert_frame_equal(filled, expected)
    X = mixed_table.to_numpy(dtype=object)
    X[pd.isna(X)] = nothing
    filled = tiny(missing_values=nothing).fit_transform(X)
    assert not pd.isna(filled).any()


@pytest.mark.parametrize(
    ("low", "high"),
    [(5.5, None), (None, 4.5), (4.75, 5.25), ([4.75, np.nan, None], [None, 5.0, 4.5])],
)
def test_filled_numbers_stay_inside_bounds(numbers, low, high):
    filled = tiny(min_value=low, max_value=high).fit_transform(numbers)
    observed = ~np.isnan(numbers)
    np.testing.assert_array_equal(filled[observed], numbers[observed])
    low = np.array(-np.inf if low is None else low, dtype=float)
    high = np.array(np.inf if high is None else high, dtype=float)
    lower = np.broadcast_to(np.where(np.isnan(low), -np.inf, low), numbers.shape)
    upper = np.broadcast_to(np.where(np.isnan(high), np.inf, high), numbers.shape)
    new = filled[~observed]
    assert np.all((lower[~observed] <= new) & (new <= upper[~observed]))
    # Cells that are inside without bounds do not move.
    free = tiny().fit_transform(numbers)
    np.testing.assert_array_equal(
        filled, np.where(observed, free, free.clip(lower, upper))
    )


def test_bounds_of_integers_are_integers(numbers):
    table = pd.DataFrame(np.rint(10 * numbers)).astype("Int64")
    missing = table.isna().to_numpy()
    filled = tiny(min_value=49.2, max_value=51.7).fit_transform(table)
    assert set(filled.to_numpy()[missing]) == {50, 51}


def test_bounds_leave_levels_alone(mixed_table):
    expected = tiny().fit_transform(mixed_table)
    filled = tiny(min_value=1e6).fit_transform(mixed_table)
    nominal = ["member", "region", "job"]
    pd.testing.assert_frame_equal(filled[nominal], expected[nominal])
    codes = mixed_table[["children"]]
    imputer = tiny(min_value=0.2, max_value=0.8, categorical_features=["children"])
    assert_only_filled(imputer.fit_transform(codes), codes)


@pytest.mark.parametrize("as_frame", [True, False])
def test_indicators_are_those_of_scikit_learn(numbers, as_frame):
    X = numbers.copy()
    X[:, 1] = np.nan_to_num(X[:, 1])
    table = pd.DataFrame(X, columns=list("abc")) if as_frame else X
    imputer = tiny(add_indicator=True).fit(table)
    filled = imputer.transform(table)
    given = list("abc") if as_frame else ["x0", "x1", "x2"]
    names = [*given, f"missingindicator_{given[0]}", f"missingindicator_{given[2]}"]
    assert imputer.get_feature_names_out().tolist() == names
    assert isinstance(imputer.indicator_, MissingIndicator)
    np.testing.assert_array_equal(np.asarray(filled)[:, 3:], np.isnan(X)[:, [0, 2]])
    np.testing.assert_array_equal(np.asarray(filled)[:, :3], tiny().fit_transform(X))
    if as_frame:
        assert list(filled) == names
        assert filled.dtypes.tolist() == [np.float64] * 3 + [bool] * 2


def test_indicator_columns_are_the_same_at_every_transform(numbers):
    table = pd.DataFrame(numbers, columns=list("abc"), index=np.repeat([4, 7], 30))
    table["b"] = table["b"].fillna(0.0)
    imputer = tiny(add_indicator=True).fit(table)
    complete = table.fillna(1.0)
    other = complete.copy()
    other.iloc[0, 1] = np.nan  # missing in a column that was complete at fit
    for new in (complete, other, other.iloc[[0]]):
        filled = imputer.transform(new)
        assert list(filled) == list(imputer.get_feature_names_out())
        assert filled.index.equals(new.index)
        assert not filled.iloc[:, 3:].to_numpy().any()


def test_indicators_beside_objects_and_other_labels(mixed_table, numbers):
    X = mixed_table.to_numpy(dtype=object)
    filled = tiny(add_indicator=True).fit_transform(X)
    assert filled.shape == (60, 12)
    np.testing.assert_array_equal(filled[:, 6:].astype(bool), pd.isna(X))
    filled = tiny(add_indicator=True).fit_transform(pd.DataFrame(numbers))
    assert filled.columns.map(type).unique().tolist() == [str]
    assert list(filled)[3:] == [f"missingindicator_x{j}" for j in range(3)]


@pytest.fixture
def with_empty_columns(numbers):
    return pd.DataFrame(
        {
            "a": numbers[:, 0],
            "empty": np.nan,
            "none": pd.Series([None] * 60, dtype=object),
            "level": pd.Categorical([None] * 60, categories=["u", "v"]),
            "b": numbers[:, 1],
        }
    )


def test_empty_columns_are_dropped_with_a_warning(with_empty_columns):
    imputer = tiny()
    message = (
        r"Skipping features without any observed values: .*'empty', 'none', 'level'"
    )
    with pytest.warns(UserWarning, match=message):
        imputer.fit(with_empty_columns)
    assert imputer.get_feature_names_out().tolist() == ["a", "b"]
    filled = imputer.transform(with_empty_columns)
    assert list(filled) == ["a", "b"]
    with_empty_columns["empty"] = 1.0  # is still dropped: the model knows nothing of it
    pd.testing.assert_frame_equal(imputer.transform(with_empty_columns), filled)
    with pytest.warns(UserWarning, match="Skipping features"):
        X = tiny().fit_transform(with_empty_columns[["a", "none"]].to_numpy(float))
    assert X.shape == (60, 1)


def test_indicator_of_a_dropped_column_stays(with_empty_columns):
    imputer = tiny(add_indicator=True)
    with pytest.warns(UserWarning, match="Skipping features"):
        filled = imputer.fit_transform(with_empty_columns)
    assert list(filled) == list(imputer.get_feature_names_out())
    assert list(filled)[:3] == ["a", "b", "missingindicator_a"]
    assert filled["missingindicator_empty"].all()


def test_empty_columns_are_kept_and_filled_with_zero(with_empty_columns):
    imputer = tiny(keep_empty_features=True)
    filled = imputer.fit_transform(with_empty_columns)
    assert_only_filled(filled, with_empty_columns)
    assert set(filled["empty"]) == set(filled["none"]) == {0.0}
    assert set(filled["level"]) == {"u"}
    assert list(imputer.get_feature_names_out()) == list(with_empty_columns)
    new = with_empty_columns.iloc[:2].copy()
    new["empty"] = [7.0, np.nan]
    assert imputer.transform(new)["empty"].tolist() == [7.0, 0.0]


def test_text_without_any_level_stays_missing(numbers):
    table = pd.DataFrame({"a": numbers[:, 0], "text": pd.array([None] * 60, "string")})
    imputer = tiny(keep_empty_features=True)
    filled = imputer.fit_transform(table)
    assert filled["text"].dtype == "string"
    assert filled["text"].isna().all()
    table["text"] = pd.array(["new"] * 60, "string")
    assert (imputer.transform(table)["text"] == "new").all()


# The estimator.


def test_fitted_attributes(mixed_table):
    imputer = tiny(max_iter=5).fit(mixed_table)
    assert imputer.n_features_in_ == 6
    assert imputer.feature_names_in_.tolist() == list(mixed_table)
    assert 1 <= imputer.n_iter_ == len(imputer.loss_curve_)
    assert np.isfinite(imputer.loss_curve_).all()
    assert len(imputer.validation_scores_) >= 1
    assert imputer.indicator_ is None


def test_without_early_stopping_every_epoch_is_trained(numbers):
    imputer = tiny(early_stopping=False, max_iter=5).fit(numbers)
    assert imputer.n_iter_ == len(imputer.loss_curve_) == 5
    assert imputer.validation_scores_ == []


def test_output_containers(mixed_table, numbers):
    pd.testing.assert_frame_equal(
        tiny().set_output(transform="pandas").fit_transform(mixed_table),
        tiny().fit_transform(mixed_table),
    )
    imputer = tiny(add_indicator=True).set_output(transform="pandas").fit(numbers)
    framed = imputer.transform(numbers)
    assert list(framed) == list(imputer.get_feature_names_out())
    array = imputer.set_output(transform="default").transform(numbers)
    np.testing.assert_array_equal(framed, array)
    with config_context(transform_output="pandas"):
        framed = tiny().fit_transform(numbers)
    assert list(framed) == ["x0", "x1", "x2"]


def test_output_in_polars(mixed_table):
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    filled = tiny().set_output(transform="polars").fit_transform(mixed_table)
    assert isinstance(filled, polars.DataFrame)
    assert filled.columns == list(mixed_table)
    assert filled["children"].dtype == polars.Int64
    assert filled["member"].dtype == polars.Boolean
    assert sum(filled.null_count().row(0)) == 0


def test_feature_names_out(numbers):
    imputer = tiny().fit(numbers)
    assert imputer.get_feature_names_out().tolist() == ["x0", "x1", "x2"]
    assert imputer.get_feature_names_out(list("abc")).tolist() == ["a", "b", "c"]
    imputer = tiny().fit(pd.DataFrame(numbers, columns=list("abc")))
    assert imputer.get_feature_names_out().tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="input_features"):
        imputer.get_feature_names_out(["a", "b", "z"])


def test_unfitted(numbers):
    for ask in ("transform", "score", "score_samples"):
        with pytest.raises(NotFittedError, match="VAEImputer"):
            getattr(tiny(), ask)(numbers)
    with pytest.raises(NotFittedError, match="VAEImputer"):
        tiny().sample()


def test_clone_has_the_parameters_and_nothing_learned(numbers):
    sizes = [8, 8]
    imputer = tiny(hidden_layer_sizes=sizes, min_value=np.zeros(3)).fit(numbers)
    assert imputer.hidden_layer_sizes is sizes
    other = clone(imputer)
    assert vars(other).keys() == imputer.get_params().keys()
    assert other.hidden_layer_sizes == sizes


def test_pickle_and_joblib_keep_every_answer(mixed_table, tmp_path):
    imputer = tiny(add_indicator=True).fit(mixed_table)
    joblib.dump(imputer, tmp_path / "imputer.joblib")
    others = [
        pickle.loads(pickle.dumps(imputer)),
        joblib.load(tmp_path / "imputer.joblib"),
        joblib.load(tmp_path / "imputer.joblib", mmap_mode="r"),  # read-only weights
    ]
    for other in others:
        pd.testing.assert_frame_equal(
            other.transform(mixed_table), imputer.transform(mixed_table)
        )
        assert other.score(mixed_table) == imputer.score(mixed_table)
        pd.testing.assert_frame_equal(
            other.sample(3, random_state=0), imputer.sample(3, random_state=0)
        )
        pd.testing.assert_frame_equal(
            other.fit_transform(mixed_table), imputer.transform(mixed_table)
        )


def test_pickle_needs_no_keras(mixed_table):
    imputer = tiny().fit(mixed_table)
    assert b"keras" not in pickle.dumps(imputer)
    assert b"tensorflow" not in pickle.dumps(imputer)


def test_nothing_global_changes(mixed_table):
    import keras  # what importing it changes is its own affair

    def surroundings():
        return (
            random.getstate(),
            pickle.dumps(np.random.get_state()),  # noqa: NPY002
            dict(os.environ),
            list(warnings.filters),
            np.geterr(),
            keras.config.floatx(),
            os.listdir(),
        )

    before = surroundings()
    imputer = tiny().fit(mixed_table)
    imputer.transform(mixed_table)
    imputer.score(mixed_table)
    imputer.sample(3, random_state=0)
    assert surroundings() == before


def test_seeds(numbers):
    def filled(random_state):
        imputer = tiny(random_state=random_state, early_stopping=False)
        return imputer.fit_transform(numbers)

    first = filled(1)
    assert not np.array_equal(filled(2), first)
    state = np.random.RandomState(1)
    np.testing.assert_array_equal(filled(state), first)
    assert not np.array_equal(filled(state), first)  # the state has moved on


def test_fit_transform_is_fit_and_transform(mixed_table):
    pd.testing.assert_frame_equal(
        tiny().fit_transform(mixed_table),
        tiny().fit(mixed_table).transform(mixed_table),
    )


def test_progress_is_shown_only_on_request(numbers, capfd):
    tiny().fit(numbers)
    assert capfd.readouterr().out == ""
    tiny(verbose=1).fit(numbers)
    assert "epoch" in capfd.readouterr().out
