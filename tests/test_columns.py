import json

import numpy as np
import pandas as pd
import pytest

from vaeimpute._columns import Column
from vaeimpute._tables import TableSchema

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
    TEXT_DTYPES += ["string[pyarrow]", "utf8[pyarrow]", "large_string[pyarrow]"]

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


# Free text.


def texts(n, length=30, n_levels=None):
    """Return n texts of a length, of which n_levels differ."""
    return [f"{k % (n_levels or n):0{length}}" for k in range(n)]


@pytest.mark.parametrize("dtype", TEXT_DTYPES)
@pytest.mark.parametrize(
    "cells",
    [
        *(texts(20), texts(20, 17), texts(100, n_levels=96), texts(1010, 4, 1001)),
        [*texts(20), *[None] * 50],
        ["short", "brief", "brief", *texts(30, 17)],
        # Identifiers, of which none recurs, may be short.
        *(texts(20, 2), texts(1000, 4)),
    ],
    ids=len,
)
def test_text_that_hardly_recurs_is_free_text(cells, dtype):
    cells = pd.Series(cells, dtype=dtype)
    with pytest.raises(ValueError, match="Column 'notes'") as caught:
        Column.infer(cells, "notes")
    n_levels, n_observed = cells.nunique(), cells.notna().sum()
    message = str(caught.value)
    assert f"got {n_levels} different texts in {n_observed} observed cells" in message
    for way in ("drop", 'text_features="passthrough"', "categorical_features"):
        assert way in message
    column = Column.infer(cells, "notes", text_features="passthrough")
    assert (column.kind, column.levels) == ("text", None)
    values, missing = column.read(cells, None)
    assert np.isnan(values).all()
    assert missing.tolist() == cells.isna().tolist()
    written = column.write(cells, missing, np.zeros(missing.sum()))
    pd.testing.assert_series_equal(written, cells)


@pytest.mark.parametrize(
    "cells",
    [
        *(texts(19), texts(100, n_levels=95), texts(21, 16, 20), texts(1000, 4, 999)),
        [*texts(10, 17), *texts(10, 9), *texts(10, 9)[:1]],
    ],
    ids=len,
)
def test_text_that_recurs_or_is_short_is_nominal(cells):
    column = Column.infer(pd.Series(cells, dtype=object), "a")
    assert column.kind == "nominal"
    assert set(column.levels) == set(cells)


def test_categories_and_listed_columns_are_no_free_text():
    cells = pd.Series(texts(40), dtype=object)
    assert Column.infer(cells.astype("category"), "a").kind == "nominal"
    assert Column.infer(cells, "a", is_nominal=True).kind == "nominal"
    if pyarrow is not None:
        coded = pd.ArrowDtype(pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
        assert Column.infer(cells.astype(coded), "a").kind == "nominal"


def test_sentinels_are_no_texts():
    cells = pd.Series([*texts(20), *["?"] * 80], dtype=object)
    assert Column.infer(cells, "a").kind == "nominal"
    with pytest.raises(ValueError, match="got 20 different texts in 20 observed"):
        Column.infer(cells, "a", sentinel="?")


# Discrete columns.


@pytest.mark.parametrize("dtype", [*FLOAT_DTYPES, "object", "Int64"])
def test_discrete_columns_are_filled_with_whole_numbers(dtype):
    cells = pd.Series([1, -2, None], dtype=dtype)
    column = Column.infer(cells, "a", is_discrete=True)
    assert column.is_integer
    out = column.write(cells, np.array([False, False, True]), np.array([2.4]))
    assert out.tolist() == [1, -2, 2]
    assert out.dtype == cells.dtype


def test_fractions_in_discrete_columns_are_named():
    cells = pd.Series([1.0, 2.5, None])
    with pytest.raises(ValueError, match=r"Column 'a': got 2\.5, expected whole"):
        Column.infer(cells, "a", is_discrete=True)
    column = Column.infer(cells, "a", is_discrete=True, sentinel=2.5)
    assert column.read(pd.Series([0.5]), None)[0].tolist() == [0.5]


@pytest.mark.parametrize(
    ("cells", "content"),
    [
        (["x", "y"], "a nominal column"),
        ([True, False], "a nominal column"),
        (pd.to_datetime(["2024"]), "a column of dates"),
        (pd.to_timedelta(["1h"]), "a column of durations"),
    ],
)
def test_only_numeric_columns_are_discrete(cells, content):
    with pytest.raises(ValueError, match=f"discrete_features: got 'a', {content}, exp"):
        Column.infer(pd.Series(cells), "a", is_discrete=True)


def test_dates_are_nominal_only_as_categories():
    cells = pd.Series(pd.to_datetime(["2024-01-01", "2023-01-01"]))
    message = r"categorical_features: got 'a', a column of dates, .*'category'"
    with pytest.raises(ValueError, match=message):
        Column.infer(cells, "a", is_nominal=True)


# Bounds.


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("cells", [[1.5], pd.to_datetime(["2024"])])
def test_no_bound_is_the_default(cells, nothing):
    column = Column.infer(pd.Series(cells), "a")
    assert column.bound(nothing, "min_value", -INF) == -INF
    assert column.bound(nothing, "max_value", INF) == INF


def test_bound_that_pandas_reads_as_nothing():
    column = Column.infer(pd.Series(pd.to_datetime(["2024"])), "a")
    assert column.bound("NaT", "max_value", INF) == INF


@pytest.mark.parametrize("given", [2, 2.0, np.float32(2), np.int8(2)])
def test_bound_of_numbers(given):
    assert Column.infer(pd.Series([1.5]), "a").bound(given, "min_value", -INF) == 2.0


@pytest.mark.parametrize(
    ("zone", "given", "expected"),
    [
        (None, "2024-03-31 12:00", "2024-03-31 12:00Z"),
        (None, pd.Timestamp("2024-03-31"), "2024-03-31 00:00Z"),
        (None, pd.Timestamp("2024-03-31").to_pydatetime(), "2024-03-31 00:00Z"),
        (None, np.datetime64("2024-03-31"), "2024-03-31 00:00Z"),
        ("Europe/Berlin", "2024-03-31 01:00", "2024-03-31 00:00Z"),
        ("Europe/Berlin", "2024-03-31 12:00", "2024-03-31 10:00Z"),
        ("Europe/Berlin", "2024-03-31 02:30", "2024-03-31 01:00Z"),
        ("Europe/Berlin", "2024-10-27 02:00", "2024-10-27 00:00Z"),
        ("Europe/Berlin", "2024-03-31 12:00+00:00", "2024-03-31 12:00Z"),
        ("Asia/Tokyo", pd.Timestamp("2024-03-31", tz="UTC"), "2024-03-31 00:00Z"),
    ],
)
def test_bound_of_dates(zone, given, expected):
    cells = pd.Series(pd.to_datetime(["2024-01-01 05:00"])).dt.tz_localize(zone)
    column = Column.infer(cells, "when")
    assert column.bound(given, "min_value", -INF) == pd.Timestamp(expected).timestamp()


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_bounds_of_dates_are_rounded_inwards(zone):
    cells = pd.Series(pd.to_datetime(["2024-01-01"])).dt.tz_localize(zone)
    column = Column.infer(cells, "when")
    for given, first, last in (
        ("2024-03-31 12:00", "2024-04-01", "2024-03-31"),
        ("2024-03-31", "2024-03-31", "2024-03-31"),
    ):
        first, last = (pd.Timestamp(x, tz=zone).timestamp() for x in (first, last))
        assert column.bound(given, "min_value", -INF) == first
        assert column.bound(given, "max_value", INF) == last


@pytest.mark.parametrize(
    "given", ["90min", pd.Timedelta("90min"), np.timedelta64(90, "m")]
)
def test_bound_of_durations(given):
    column = Column.infer(pd.Series(pd.to_timedelta(["1min"])), "for")
    assert column.bound(given, "max_value", INF) == 5400.0
    column = Column.infer(pd.Series(pd.to_timedelta(["1h"])), "for")
    assert column.bound(given, "min_value", -INF) == 7200.0
    assert column.bound(given, "max_value", INF) == 3600.0


@pytest.mark.parametrize(
    ("cells", "given", "expected"),
    [
        ([1.5], "2", "a number"),
        ([1.5], [2], "a number"),
        ([1.5], pd.Timestamp("2024"), "a number"),
        (pd.to_datetime(["2024"]), 5, "a date without a time zone"),
        (pd.to_datetime(["2024"]), 5.0, "a date without"),
        (pd.to_datetime(["2024"]), "soon", "a date without"),
        (pd.to_datetime(["2024"]), pd.Timestamp("2024", tz="UTC"), "a date without"),
        (pd.to_datetime(["2024"]), pd.Timedelta("1h"), "a date without"),
        (pd.to_datetime(["2024"], utc=True), 5, "a date"),
        (pd.to_timedelta(["1h"]), 5, "a duration"),
        (pd.to_timedelta(["1h"]), "2024-01-01", "a duration"),
    ],
)
def test_bound_of_another_kind(cells, given, expected):
    column = Column.infer(pd.Series(cells), "a")
    message = f"min_value: got .* for column 'a', expected {expected}"
    with pytest.raises(ValueError, match=message):
        column.bound(given, "min_value", -INF)
