import json
import re

import numpy as np
import pandas as pd
import pytest

from vaeimpute._columns import TableSchema

try:
    import pyarrow
except ImportError:
    pyarrow = None

INF = float("inf")
FLOAT_DTYPES = ["float64", "float32", "float16", "Float64", "Float32"]
INTEGER_DTYPES = [f"{sign}Int{n}" for sign in ("", "U") for n in (8, 16, 32, 64)]
TRUTH_DTYPES = ["boolean", "object"]
TEXT_DTYPES = ["string[python]", "object"]
if int(pd.__version__.split(".")[0]) >= 3:
    TEXT_DTYPES.append("str")
if pyarrow is not None:
    FLOAT_DTYPES.append("double[pyarrow]")
    INTEGER_DTYPES.append("int32[pyarrow]")
    TRUTH_DTYPES.append("bool[pyarrow]")
    TEXT_DTYPES.append("string[pyarrow]")

# In each column, the third of four cells is missing.
FRACTIONS = [0.1, -0.0, None, 1e-3]
INTEGERS = [3, 1, None, 3]
TRUTHS = [True, False, None, True]
TEXT = ["b", "a", None, "b"]
OBJECT_LEVELS = pd.Index(["b", "a"], dtype=object)

# name: cells, dtype, levels (None where the column is numeric)
CASES = {
    **{f"{dtype} fractions": (FRACTIONS, dtype, None) for dtype in FLOAT_DTYPES},
    **{f"{dtype} integers": (INTEGERS, dtype, None) for dtype in INTEGER_DTYPES},
    **{f"{dtype} truths": (TRUTHS, dtype, (False, True)) for dtype in TRUTH_DTYPES},
    **{f"{dtype} text": (TEXT, dtype, ("a", "b")) for dtype in TEXT_DTYPES},
    "object fractions": (FRACTIONS, "object", None),
    "object integers": (INTEGERS, "object", None),
    "object mixed": ([1, "a", None, 1], "object", (1, "a")),
    "category": (TEXT, pd.CategoricalDtype(["b", "c", "a"], True), ("b", "c", "a")),
    "category of integers": (INTEGERS, pd.CategoricalDtype([3, 1]), (3, 1)),
    "category of objects": (TEXT, pd.CategoricalDtype(OBJECT_LEVELS), ("b", "a")),
}
COLUMNS = {
    name: (pd.Series(cells, dtype=dtype), levels)
    for name, (cells, dtype, levels) in CASES.items()
}

INDEXES = {
    "shuffled": pd.Index([3, 0, 2, 1]),
    "text": pd.Index(list("wxyz"), name="row"),
    "repeated": pd.Index([7, 7, 7, 8]),
    "levels": pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1), ("b", 1)]),
}


@pytest.fixture(params=COLUMNS)
def column(request):
    return COLUMNS[request.param]


def _fill(schema, X, values):
    """Write `values`, one per column, into the missing cells."""
    read, missing = schema.read(X)
    return schema.write(X, np.where(missing, values, read), missing)


def _bits(cells):
    """Cells with what tells them apart beyond ==: type, sign of zero."""
    return [(type(cell), repr(cell)) for cell in cells.tolist()]


def test_schema_says_kind_and_levels(column):
    cells, levels = column
    kind = "nominal" if levels else "numeric"
    (found,) = TableSchema.infer(cells.to_frame("a")).columns
    assert (found.name, found.kind, found.levels) == ("a", kind, levels)
    assert levels is None or [*map(type, found.levels)] == [*map(type, levels)]


def test_read_gives_numbers_or_codes(column):
    cells, levels = column
    values, missing = TableSchema.infer(cells.to_frame("a")).read(cells.to_frame("a"))
    observed = cells[[0, 1, 3]].tolist()
    expected = [levels.index(x) for x in observed] if levels else observed
    np.testing.assert_array_equal(values[[0, 1, 3], 0], expected)
    assert np.isnan(values[2, 0])
    assert missing[:, 0].tolist() == [False, False, True, False]
    assert values.dtype == np.float64
    assert values.flags.writeable


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_write_fills_the_missing_cell_and_nothing_else(column, index):
    cells, levels = column
    X = pd.DataFrame({"z": np.arange(4.0), "a": cells}).set_index(index)
    before = X.copy(deep=True)
    schema = TableSchema.infer(X)
    out = _fill(schema, X, 1.0)
    assert out["a"].iloc[2] == (levels[1] if levels else 1)
    assert out["a"].dtype == cells.dtype
    assert _bits(out["a"].iloc[[0, 1, 3]]) == _bits(cells[[0, 1, 3]])
    pd.testing.assert_frame_equal(out.drop(columns="a"), X.drop(columns="a"))
    pd.testing.assert_index_equal(out.index, index)
    pd.testing.assert_frame_equal(X, before)


def test_table_without_missing_cells_comes_back_equal_and_apart(column):
    X = column[0].iloc[[0, 1, 3]].to_frame("a")
    schema = TableSchema.infer(X)
    out = _fill(schema, X, 0.0)
    pd.testing.assert_frame_equal(out, X)
    out.iloc[0, 0] = out.iloc[1, 0]
    assert X.iloc[0, 0] != X.iloc[1, 0]


def test_one_row_whose_cell_is_missing(column):
    cells, levels = column
    schema = TableSchema.infer(cells.to_frame("a"))
    out = _fill(schema, cells.to_frame("a").iloc[[2]], 1.0)
    assert out["a"].tolist() == [levels[1] if levels else 1]
    assert out["a"].dtype == cells.dtype


def test_build_undoes_read(column):
    cells = column[0].rename("a")
    X = pd.DataFrame({"a": cells, "n": np.arange(4)})
    schema = TableSchema.infer(X)
    built = schema.build(schema.read(X)[0])
    assert built.dtypes.tolist() == X.dtypes.tolist()
    assert _bits(built.loc[[0, 1, 3], "a"]) == _bits(cells[[0, 1, 3]])
    assert pd.isna(built.loc[2, "a"])
    assert built.columns.tolist() == ["a", "n"]


def test_schema_survives_json(column):
    X = column[0].to_frame("a")
    schema = TableSchema.infer(X, missing_values=-1)
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert repr(again) == repr(schema)  # tells 1 from True and 1.0
    values = schema.read(X)[0]
    pd.testing.assert_frame_equal(again.build(values), schema.build(values))


def test_rows_do_not_influence_one_another(column):
    X = column[0].to_frame("a")
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    for i in range(len(X)):
        alone = schema.read(X.iloc[[i]])
        np.testing.assert_array_equal(alone[0], values[[i]])
        np.testing.assert_array_equal(alone[1], missing[[i]])


def test_numbers_are_rounded_and_clipped_into_integer_dtypes():
    dtypes = ["Int8", "UInt8", "Int64", "UInt64"]
    cells = [0, None, None, None]
    X = pd.DataFrame({dtype: pd.array(cells, dtype=dtype) for dtype in dtypes})
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    values[1], values[2], values[3] = -1e30, 1e30, 1.6
    out = schema.write(X, values, missing)
    assert out["Int8"].tolist() == [0, -128, 127, 2]
    assert out["UInt8"].tolist() == [0, 0, 255, 2]
    # The largest float64 below 2**63 and 2**64.
    assert out["Int64"].tolist() == [0, -(2**63), 2**63 - 1024, 2]
    assert out["UInt64"].tolist() == [0, 0, 2**64 - 2048, 2]


@pytest.mark.parametrize("dtype", ["float16", "float32", "Float32"])
def test_numbers_stay_finite_in_narrow_floats(dtype):
    X = pd.DataFrame({"a": pd.Series([1.0, None], dtype=dtype)})
    out = _fill(TableSchema.infer(X), X, 1e300)
    assert out["a"].dtype == dtype
    assert out["a"].iloc[1] == np.finfo(dtype.lower()).max


def test_observed_integers_beyond_float64_stay_exact():
    X = pd.DataFrame({"a": pd.array([2**53 + 1, None], dtype="Int64")})
    assert _fill(TableSchema.infer(X), X, 0.0)["a"].tolist() == [2**53 + 1, 0]


def test_integers_at_fit_are_rounded_in_floats_at_transform():
    schema = TableSchema.infer(pd.DataFrame({"a": [1, 2, 3]}))
    X = pd.DataFrame({"a": [1.5, np.nan]})
    out = _fill(schema, X, -0.4)
    assert out["a"].tolist() == [1.5, 0.0]
    assert not np.signbit(out["a"].iloc[1])


def test_nan_in_values_leaves_the_cell_missing(column):
    X = column[0].to_frame("a")
    schema = TableSchema.infer(X)
    pd.testing.assert_frame_equal(schema.write(X, *schema.read(X)), X)


def test_nan_inside_nullable_floats_is_missing():
    ratio = pd.array([0.0, 1.0], dtype="Float64")
    X = pd.DataFrame({"a": ratio / ratio})
    schema = TableSchema.infer(X)
    assert schema.read(X)[1][:, 0].tolist() == [True, False]
    assert _fill(schema, X, 5.0)["a"].tolist() == [5.0, 1.0]


@pytest.mark.parametrize("dtype", [*FLOAT_DTYPES, *INTEGER_DTYPES, "object"])
def test_numeric_columns_read_from_any_number_dtype(dtype):
    schema = TableSchema.infer(pd.DataFrame({"a": np.array([1, 2, 3])}))
    X = pd.DataFrame({"a": pd.Series([2, None], dtype=dtype)})
    values, missing = schema.read(X)
    np.testing.assert_array_equal(values, [[2.0], [np.nan]])
    assert missing.tolist() == [[False], [True]]
    assert _fill(schema, X, 3.0)["a"].dtype == dtype


def test_truths_among_numbers_are_one_and_zero():
    X = pd.DataFrame({"a": pd.Series([True, 2.5, None, False], dtype=object)})
    schema = TableSchema.infer(X)
    assert schema.columns[0].kind == "numeric"
    np.testing.assert_array_equal(schema.read(X)[0][:, 0], [1, 2.5, np.nan, 0])
    assert schema.read(X.iloc[[0, 3]])[0].tolist() == [[1.0], [0.0]]
    out = _fill(schema, X, 0.5)
    assert [*map(repr, out["a"])] == ["True", "2.5", "0.5", "False"]


def test_whole_table_at_once_reads_as_column_by_column():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(7, 3))
    numbers[rng.random(numbers.shape) < 0.3] = np.nan
    X = pd.DataFrame(numbers, columns=list("abc"))
    X["b"] = X["b"].astype("float32")
    with_text = X.assign(text="x")
    for sentinel in (np.nan, X["a"].dropna().iloc[0]):
        at_once, one_by_one = (
            TableSchema.infer(table, missing_values=sentinel).read(table)
            for table in (X, with_text)
        )
        np.testing.assert_array_equal(at_once[0], one_by_one[0][:, :3])
        np.testing.assert_array_equal(at_once[1], one_by_one[1][:, :3])


def test_unseen_level_is_not_missing_and_stays():
    schema = TableSchema.infer(pd.DataFrame({"a": ["x", "y"]}))
    X = pd.DataFrame({"a": pd.Categorical(["new", None, "y"])})
    values, missing = schema.read(X)
    np.testing.assert_array_equal(values[:, 0], [np.nan, np.nan, 1])
    assert missing[:, 0].tolist() == [False, True, False]
    out = _fill(schema, X, 1.0)
    assert out["a"].tolist() == ["new", "y", "y"]
    assert out["a"].dtype == X["a"].dtype


@pytest.mark.parametrize("dtype", ["category", *TEXT_DTYPES])
def test_text_levels_are_the_same_in_any_dtype(dtype):
    schema = TableSchema.infer(pd.DataFrame({"a": pd.Categorical(["y", "x", "z"])}))
    X = pd.DataFrame({"a": pd.Series(["z", None, "x"], dtype=dtype)})
    np.testing.assert_array_equal(schema.read(X)[0][:, 0], [2, np.nan, 0])
    out = _fill(schema, X, 0.0)
    assert out["a"].tolist() == ["z", "x", "x"]
    assert out["a"].dtype == X["a"].dtype


@pytest.mark.parametrize(
    ("dtype", "filled"),
    [(object, True), ("boolean", True), ("float64", 1.0), ("Int8", 1), ("float32", 1)],
)
def test_truths_are_the_same_in_any_dtype(dtype, filled):
    schema = TableSchema.infer(pd.DataFrame({"a": [True, False]}))
    X = pd.DataFrame({"a": pd.Series([False, None, True], dtype=dtype)})
    np.testing.assert_array_equal(schema.read(X)[0][:, 0], [0, np.nan, 1])
    out = _fill(schema, X, 1.0)
    assert out["a"].dtype == dtype
    assert out["a"].iloc[1] == filled
    assert _bits(out["a"].iloc[[0, 2]]) == _bits(X["a"].iloc[[0, 2]])


def test_category_gains_a_level_only_when_it_is_filled_in():
    schema = TableSchema.infer(pd.DataFrame({"a": pd.Categorical(["x", "y", "z"])}))
    X = pd.DataFrame({"a": pd.Categorical(["z", None], categories=["z", "w"])})
    assert _fill(schema, X, 2.0)["a"].dtype == X["a"].dtype
    widened = _fill(schema, X, 1.0)
    assert widened["a"].tolist() == ["z", "y"]
    assert widened["a"].cat.categories.tolist() == ["z", "w", "y"]


@pytest.mark.parametrize("level", ["x", 1.5])
def test_level_that_the_dtype_cannot_hold_makes_objects(level):
    X = pd.DataFrame({"a": pd.Series([1, level], dtype=object)})
    schema = TableSchema.infer(X, categorical_features=[0])
    out = _fill(schema, pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), 1.0)
    assert out["a"].tolist() == [1, level]
    assert out["a"].dtype == object


def test_truths_where_numbers_were_are_one_and_zero():
    schema = TableSchema.infer(pd.DataFrame({"a": [0.0, 2.0]}))
    X = pd.DataFrame({"a": pd.Series([True, None, False], dtype="boolean")})
    np.testing.assert_array_equal(schema.read(X)[0][:, 0], [1, np.nan, 0])
    out = _fill(schema, X, 0.7)
    assert out["a"].tolist() == [True, True, False]
    assert out["a"].dtype == "boolean"


def test_equal_levels_are_one_level_and_cells_keep_their_types():
    X = pd.DataFrame({"a": pd.Series(["a", 1, True, 1.0, None], dtype=object)})
    schema = TableSchema.infer(X)
    assert schema.columns[0].levels == ("a", 1)
    np.testing.assert_array_equal(schema.read(X)[0][:, 0], [0, 1, 1, 1, np.nan])
    assert [*map(type, _fill(schema, X, 1.0)["a"])] == [str, int, bool, float, int]


def test_levels_of_columns_without_observed_cells():
    X = pd.DataFrame(
        {
            "text": pd.Series([None, None], dtype="string"),
            "category": pd.Categorical([None, None], ["q", "p"]),
            "truth": pd.Series([None, None], dtype="boolean"),
            "object": pd.Series([None, None], dtype=object),
        }
    )
    schema = TableSchema.infer(X)
    levels = [column.levels for column in schema.columns]
    assert levels == [(), ("q", "p"), (False, True), None]
    assert schema.read(X)[1].all()
    pd.testing.assert_frame_equal(schema.write(X, *schema.read(X)), X)
    unseen = schema.read(X.assign(text=pd.Series(["x", None], dtype="string")))
    assert unseen[1][:, 0].tolist() == [False, True]


def test_ordered_category_of_intervals_is_read_but_not_saved():
    X = pd.DataFrame({"a": pd.cut([1.0, 5.0, 9.0, np.nan], [0, 4, 8, 12])})
    schema = TableSchema.infer(X)
    assert schema.read(X)[0][:3, 0].tolist() == [0, 1, 2]
    pd.testing.assert_frame_equal(schema.build(schema.read(X)[0]), X)
    with pytest.raises(TypeError, match=r"Column 'a': got a level of type Interval"):
        schema.to_dict()


@pytest.mark.parametrize(
    "given", [["b"], [1], np.array([1]), pd.Index(["b"]), np.arange(3) == 1, (1, "b")]
)
def test_listed_columns_are_nominal_besides_those_that_must_be(given):
    X = pd.DataFrame({"a": [1.5, 2.5], "b": [2.0, 1.0], "c": ["x", "y"]})
    schema = TableSchema.infer(X, categorical_features=given)
    levels = [column.levels for column in schema.columns]
    assert levels == [None, (1.0, 2.0), ("x", "y")]


@pytest.mark.parametrize("given", ["from_dtype", None, []])
def test_nothing_listed(given):
    X = pd.DataFrame({"a": [1.5, 2.5], "b": [True, False]})
    schema = TableSchema.infer(X, categorical_features=given)
    assert [column.kind for column in schema.columns] == ["numeric", "nominal"]


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "int8", "Int16", "uint64", "Float32", object]
)
def test_listed_numbers_come_back_in_their_dtype(dtype):
    X = pd.DataFrame({"a": pd.Series([7, 1, 3, 7], dtype=dtype)})
    schema = TableSchema.infer(X, categorical_features=[0], missing_values=1)
    assert schema.columns[0].levels == (3, 7)
    out = _fill(schema, X, 1.0)
    assert out["a"].tolist() == [7, 7, 3, 7]
    assert out["a"].dtype == dtype
    built = schema.build(np.array([[0.0], [1.0]]))
    assert built["a"].tolist() == [3, 7]
    assert built["a"].dtype == dtype


def test_listed_integers_beyond_float64_stay_apart():
    levels = [2**60, 2**60 + 1]
    X = pd.DataFrame({"a": pd.array([*levels, None], dtype="Int64")})
    schema = TableSchema.infer(X, categorical_features=["a"])
    assert schema.columns[0].levels == tuple(levels)
    assert _fill(schema, X, 1.0)["a"].tolist() == [*levels, levels[1]]


@pytest.mark.parametrize(
    ("given", "entry"),
    [
        *[(["a", "nope"], "'nope'"), ([2], "2"), ([-1], "-1"), ([1.0], "1.0")],
        *[([True], "1 booleans"), ([True, 1], "True"), ("a", "'a'"), (7, "7")],
    ],
)
def test_bad_entries_are_named(given, entry):
    X = pd.DataFrame({"a": [1.0], "b": [2.0]})
    with pytest.raises(ValueError, match=f"categorical_features: got {entry}, exp"):
        TableSchema.infer(X, categorical_features=given)
    with pytest.raises(ValueError, match="categorical_features: got"):
        TableSchema.infer(X.to_numpy(), categorical_features=given)


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA, pd.NaT, np.float32("nan")])
def test_missing_values_are_always_missing(nothing):
    cells = [nothing, None, np.nan, pd.NA, pd.NaT, 1.0, "x"]
    X = pd.DataFrame({"a": pd.Series(cells, dtype=object)})
    missing = TableSchema.infer(X, missing_values=nothing).read(X)[1]
    assert missing[:, 0].tolist() == [True] * 5 + [False] * 2


@pytest.mark.parametrize("sentinel", ["?", -999])
def test_sentinel_is_missing_too_and_no_level(sentinel):
    X = pd.DataFrame(
        {
            "text": pd.Series(["x", sentinel, None], dtype=object),
            "number": pd.Series([1.5, sentinel, None], dtype=object),
            "category": pd.Categorical(["x", sentinel, None], ["x", sentinel]),
        }
    )
    if sentinel == -999:
        X["float"] = [1.5, sentinel, np.nan]
        X["int"] = [1, sentinel, sentinel]
        X["Int16"] = pd.array([1, sentinel, None], dtype="Int16")
    schema = TableSchema.infer(X, missing_values=sentinel)
    assert schema.columns[0].levels == ("x",)
    assert schema.columns[1].kind == "numeric"
    assert schema.columns[2].levels == ("x",)
    values, missing = schema.read(X)
    assert (missing == [[False], [True], [True]]).all()
    assert np.isnan(values[1:]).all()
    out = _fill(schema, X, 0.0)
    assert out.dtypes.tolist() == X.dtypes.tolist()
    assert out["text"].tolist() == ["x"] * 3
    assert out["category"].tolist() == ["x"] * 3
    for name in X.columns.drop(["text", "category"]):
        assert out[name].tolist() == [X[name].iloc[0], 0, 0]


@pytest.mark.parametrize("dtype", ["bool", object])
def test_sentinel_one_is_not_true(dtype):
    X = pd.DataFrame({"a": pd.Series([True, False], dtype=dtype)})
    schema = TableSchema.infer(X, missing_values=1)
    assert not schema.read(X)[1].any()


@pytest.mark.parametrize(("sentinel", "cell"), [("?", np.nan), (INF, INF)])
def test_text_and_infinity_may_stand_for_missing(sentinel, cell):
    X = np.array([[1.0, cell]])
    schema = TableSchema.infer(X, missing_values=sentinel)
    assert schema.read(X)[1].tolist() == [[False, True]]


@pytest.mark.parametrize("bad", [[1, 2], True, {}])
def test_bad_sentinel(bad):
    with pytest.raises(ValueError, match=r"missing_values: got .*expected a number"):
        TableSchema.infer(np.ones((2, 1)), missing_values=bad)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", ">f8"])
def test_float_arrays_keep_dtype_and_bits(dtype):
    X = np.array([[-0.0, np.nan], [0.1, 2.0]], dtype=dtype)
    before = X.copy()
    out = _fill(TableSchema.infer(X), X, 1 / 3)
    assert out.dtype == X.dtype
    assert out[0, 1] == np.dtype(dtype).type(1 / 3)
    assert np.signbit(out[0, 0])
    np.testing.assert_array_equal(out[1], X[1])
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_integer_arrays_become_float64(dtype):
    X = np.array([[1, 9], [2, 3]], dtype=dtype)
    out = _fill(TableSchema.infer(X, missing_values=9), X, 2.2)
    assert out.dtype == np.float64
    assert out.tolist() == [[1, 2], [2, 3]]


def test_bool_arrays_are_nominal():
    X = np.array([[True, False], [False, False]])
    schema = TableSchema.infer(X)
    assert {column.levels for column in schema.columns} == {(False, True)}
    assert schema.read(X)[0].tolist() == [[1, 0], [0, 0]]
    assert _fill(schema, X, 0.0).dtype == bool
    np.testing.assert_array_equal(schema.build(schema.read(X)[0]), X)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_object_arrays_of_numbers_become_float64(nothing):
    X = np.array([[1, nothing], [2.5, 7]], dtype=object)
    schema = TableSchema.infer(X)
    out = _fill(schema, X, 3.4)
    assert out.dtype == np.float64
    assert out.tolist() == [[1, 3], [2.5, 7]]  # the second column held integers
    assert schema.build(out).dtype == np.float64


def test_object_arrays_with_levels_stay_objects():
    X = np.array([[1.5, "x", True], [None, None, None]], dtype=object)
    schema = TableSchema.infer(X)
    assert [len(column.levels or ()) for column in schema.columns] == [0, 1, 2]
    out = _fill(schema, X, 0.0)
    assert out.dtype == object
    assert out.tolist() == [[1.5, "x", True], [0.0, "x", False]]
    assert [*map(type, out[1])] == [float, str, bool]
    built = schema.build(schema.read(out)[0])
    assert built.tolist() == out.tolist()


def test_text_arrays_and_lists():
    X = np.array([["x", "y"], ["y", ""]])
    schema = TableSchema.infer(X, missing_values="")
    assert _fill(schema, X, 0.0).tolist() == [["x", "y"], ["y", "y"]]
    rows = [["x", 1.5], [None, None]]
    schema = TableSchema.infer(rows)
    assert [column.kind for column in schema.columns] == ["nominal", "numeric"]
    assert _fill(schema, rows, 0.0).tolist() == [["x", 1.5], ["x", 0.0]]


def test_listed_columns_of_float_arrays():
    X = np.array([[5.0, 0.5], [9.0, np.nan], [np.nan, 1.5]], dtype=np.float32)
    schema = TableSchema.infer(X, categorical_features=[0])
    assert schema.columns[0].levels == (5.0, 9.0)
    out = _fill(schema, X, 1.0)
    assert out.tolist() == [[5.0, 0.5], [9.0, 1.0], [9.0, 1.5]]
    assert out.dtype == np.float32
    built = schema.build(np.array([[1.0, 0.25], [np.nan, np.nan]]))
    np.testing.assert_array_equal(built, np.float32([[9.0, 0.25], [np.nan, np.nan]]))
    assert built.dtype == np.float32


def test_text_goes_into_a_float_array_that_has_room_for_none():
    schema = TableSchema.infer(np.array([["x", 1.0], ["y", 2.0]], dtype=object))
    X = np.array([[np.nan, 3.0]])
    assert _fill(schema, X, 1.0).tolist() == [["y", 3.0]]


def test_read_only_and_column_major_arrays():
    X = np.asfortranarray([[1.0, np.nan], [2.0, 3.0]])
    X.flags.writeable = False
    schema = TableSchema.infer(X)
    values, _ = schema.read(X)
    assert values.flags.writeable
    assert values.flags.c_contiguous
    assert _fill(schema, X, 0.0).tolist() == [[1.0, 0.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    "labels", [[7, 8], [0.5, 1.5], [("a", 1), ("a", 2)], pd.RangeIndex(2)], ids=str
)
def test_labels_other_than_text(labels):
    X = pd.DataFrame([[1.0, "x"], [np.nan, None]]).set_axis(pd.Index(labels), axis=1)
    schema = TableSchema.infer(X)
    out = _fill(schema, X, 0.0)
    assert out.to_numpy().tolist() == [[1.0, "x"], [0.0, "x"]]
    pd.testing.assert_index_equal(out.columns, X.columns)
    assert schema.build(schema.read(X)[0]).columns.tolist() == X.columns.tolist()
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema


def test_array_in_place_of_the_fitted_frame():
    schema = TableSchema.infer(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    out = _fill(schema, np.array([[np.nan, 1.0]]), 5.0)
    assert isinstance(out, np.ndarray)
    assert out.tolist() == [[5.0, 1.0]]


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("as_table", [np.asarray, pd.DataFrame])
def test_empty_tables(shape, as_table):
    X = as_table(np.ones(shape))
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    assert values.shape == missing.shape == shape
    assert schema.write(X, values, missing).shape == shape
    assert schema.build(values).shape == shape


def test_no_rows_of_every_dtype():
    X = pd.DataFrame({name: cells for name, (cells, _) in COLUMNS.items()})
    schema = TableSchema.infer(X)
    out = _fill(schema, X.iloc[:0], 0.0)
    pd.testing.assert_frame_equal(out, X.iloc[:0])
    assert schema.build(np.empty((0, X.shape[1]))).dtypes.tolist() == X.dtypes.tolist()


@pytest.mark.parametrize(
    ("first", "dtype"),
    [(1.0, "float64"), (1.0, "Float32"), (1.0, "object"), ("x", "object")],
)
def test_infinity_is_named(first, dtype):
    X = pd.DataFrame({"a": [1.0, 2.0], "b": pd.Series([first, -INF], dtype=dtype)})
    with pytest.raises(ValueError, match=r"Column 'b': got infinity, expected finite"):
        TableSchema.infer(X).read(X)


def test_infinity_in_arrays_reads_as_scikit_learn_asks():
    X = np.array([[1.0, np.inf]])
    with pytest.raises(ValueError, match=r"contains inf|infinity"):
        TableSchema.infer(X).read(X)
    with pytest.raises(ValueError, match="Column 1: got infinity"):
        TableSchema.infer(X, categorical_features=[1])


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(pd.to_datetime(["2020-01-01", None])),
        pd.Series(pd.to_datetime(["2020-01-01", None], utc=True)),
        pd.Series(pd.to_timedelta(["1h", None])),
        pd.Series(pd.PeriodIndex(["2020-01", None], freq="M")),
        pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2])),
        pd.Series([1j, 2]),
        pd.Series(pd.arrays.SparseArray([0.0, 1.0])),
    ],
    ids=lambda cells: str(cells.dtype),
)
def test_other_dtypes_are_refused(cells):
    message = re.escape(f"Column 'when': got dtype {cells.dtype}")
    X = pd.DataFrame({"when": cells})
    with pytest.raises(ValueError, match=message + r".*expected numbers"):
        TableSchema.infer(X)
    schema = TableSchema.infer(pd.DataFrame({"when": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=message):
        schema.read(X)


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", "S3"])
def test_other_array_dtypes_are_refused(dtype):
    X = np.zeros((2, 2), dtype=dtype)
    # The second sentence is the one by which scikit-learn knows the refusal.
    note = r".*Complex data not supported" if dtype == "complex128" else ""
    with pytest.raises(ValueError, match=f"Column 0: got dtype {note}.*expected num"):
        TableSchema.infer(X)


@pytest.mark.parametrize(
    "cell", [{"x": 1}, [1, 2], np.arange(2), pd.Timestamp("2020"), b"x", 1j]
)
def test_cells_that_are_neither_text_nor_numbers_are_refused(cell):
    X = np.empty((2, 2), dtype=object)
    X[:, 0], X[0, 1], X[1, 1] = 1.0, cell, 2.0
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        TableSchema.infer(X)
    frame = pd.DataFrame(X, columns=["a", "b"])
    with pytest.raises(TypeError, match="Column 'b'"):
        TableSchema.infer(frame, missing_values="?")


def test_repeated_names_are_refused():
    X = pd.DataFrame(np.ones((1, 4)), columns=["a", "b", "a", "b"])
    with pytest.raises(ValueError, match=r"repeated column names \['a', 'b'\]"):
        TableSchema.infer(X)


def test_mixed_names_are_refused():
    X = pd.DataFrame(np.ones((1, 2)), columns=["a", 1])
    with pytest.raises(TypeError, match=r"only supported if all .* have string names"):
        TableSchema.infer(X)


@pytest.mark.parametrize(
    "text",
    [["1.5", None], pd.Categorical(["x", None]), pd.array(["1", None], dtype="string")],
)
def test_text_where_numbers_were_is_refused(text):
    schema = TableSchema.infer(pd.DataFrame({"age": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=r"Column 'age': got .*expected numbers"):
        schema.read(pd.DataFrame({"age": text}))


@pytest.mark.parametrize("fitted", [["1", "2"], pd.Categorical(["1", "2"])])
def test_numbers_where_text_was_are_refused(fitted):
    schema = TableSchema.infer(pd.DataFrame({"code": fitted}))
    with pytest.raises(ValueError, match=r"Column 'code': got 1 .*levels such as '1'"):
        schema.read(pd.DataFrame({"code": [1, 2]}))


@pytest.mark.parametrize("dtype", ["object", "float64", "category", "string"])
def test_columns_without_observed_cells_are_of_any_kind(dtype):
    empty = pd.Series([None, None], dtype=dtype)
    X = pd.DataFrame({"number": empty, "text": empty})
    schema = TableSchema.infer(pd.DataFrame({"number": [1.5, 2], "text": ["x", "y"]}))
    assert schema.read(X)[1].all()
    out = _fill(schema, X, 1.0)
    assert out["number"].tolist() == [1.0, 1.0]
    assert out["text"].tolist() == ["y", "y"]


def test_other_columns_than_at_fit_are_refused():
    schema = TableSchema.infer(pd.DataFrame({"a": [1.0], "b": [2.0]}))
    with pytest.raises(ValueError, match="got 1 columns, expected 2"):
        schema.read(np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"got columns \['b', 'a'\], expected"):
        schema.read(pd.DataFrame({"b": [1.0], "a": [2.0]}))


@pytest.mark.parametrize("X", [np.ones(3), pd.Series([1.0]), 5])
def test_other_than_two_dimensions_are_refused(X):
    with pytest.raises(ValueError, match="dimensions, expected a table of 2"):
        TableSchema.infer(X)
