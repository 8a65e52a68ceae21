"""Arrays, frames of polars, and tables that change their container."""

import datetime
import decimal
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer
from vaeimpute._tables import TableSchema

try:
    import polars as pl
except ImportError:
    pl = None

needs_polars = pytest.mark.skipif(pl is None, reason="needs polars")


def _fill(schema, X, values):
    """Write `values`, one per column, into the missing cells."""
    read, missing = schema.read(X)
    return schema.write(X, np.where(missing, values, read), missing)


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


def test_array_in_place_of_the_fitted_frame():
    schema = TableSchema.infer(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    out = _fill(schema, np.array([[np.nan, 1.0]]), 5.0)
    assert isinstance(out, np.ndarray)
    assert out.tolist() == [[5.0, 1.0]]


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[ps]", "S3"])
def test_other_array_dtypes_are_refused(dtype):
    X = np.zeros((2, 2), dtype=dtype)
    # The second sentence is the one by which scikit-learn knows the refusal.
    note = r".*Complex data not supported" if dtype == "complex128" else ""
    with pytest.raises(ValueError, match=f"Column 0: got dtype {note}.*expected num"):
        TableSchema.infer(X)


# Arrays of dates.


@pytest.mark.parametrize("unit", ["D", "h", "m", "s", "ms", "us", "ns"])
def test_arrays_of_dates_keep_their_dtype(unit):
    X = np.array([["2024-01-01", "NaT"], ["NaT", "2024-03-01"]], f"M8[{unit}]")
    schema = TableSchema.infer(X)
    assert [column.unit for column in schema.columns] == ["D", "D"]
    values, missing = schema.read(X)
    assert missing.tolist() == [[False, True], [True, False]]
    assert values[0, 0] == pd.Timestamp("2024-01-01").timestamp()
    out = schema.write(X, np.where(missing, 1.2 * 86400, values), missing)
    assert out.dtype == X.dtype
    expected = [["2024-01-01", "1970-01-02"], ["1970-01-02", "2024-03-01"]]
    np.testing.assert_array_equal(out, np.array(expected, X.dtype))
    np.testing.assert_array_equal(schema.build(values), X)
    since = X - np.datetime64("2024-01-01")
    schema = TableSchema.infer(since)
    np.testing.assert_array_equal(schema.build(schema.read(since)[0]), since)


def test_calendar_months_are_days():
    X = np.array([["2024-01"], ["NaT"]], dtype="M8[M]")
    schema = TableSchema.infer(X)
    out = schema.write(X, np.array([[0.0], [86400.0 * 40]]), schema.read(X)[1])
    np.testing.assert_array_equal(out, np.array([["2024-01"], ["1970-02"]], "M8[M]"))


def test_dates_and_levels_go_into_an_array_of_objects():
    X = pd.DataFrame({"when": pd.to_datetime(["2024-01-01"]), "who": ["x"]})
    schema = TableSchema.infer(X)
    out = _fill(schema, np.array([[None, "x"], [np.nan, None]], object), 0.0)
    assert out.tolist() == [[pd.Timestamp(0), "x"], [pd.Timestamp(0), "x"]]
    schema = TableSchema.infer(X[["when"]])
    assert _fill(schema, np.array([[np.nan]]), 0.0).tolist() == [[pd.Timestamp(0)]]
    schema = TableSchema.infer(pd.DataFrame({"a": [1.5]}))
    assert _fill(schema, np.array([["NaT"]], "M8[s]"), 0.5).tolist() == [[0.5]]


def test_free_text_in_arrays_stays():
    texts = np.array([f"a text of more than that {k}" for k in range(30)], object)
    X = np.column_stack([np.arange(30.0).astype(object), texts])
    X[3] = None
    schema = TableSchema.infer(X, text_features="passthrough")
    out = _fill(schema, X, 7.0)
    assert out[3].tolist() == [7.0, None]
    assert out[:, 1].tolist() == X[:, 1].tolist()


# polars.


def polars_cases():
    day, moment = datetime.date, datetime.datetime
    hour, number = datetime.timedelta(hours=1), decimal.Decimal
    berlin = pl.Datetime("ms", "Europe/Berlin")
    return {  # dtype: observed cells, their values, a value to fill in, what it becomes
        pl.Int8(): ([3, 5], [3.0, 5.0], 300.0, 127),
        pl.UInt64(): ([3, 5], [3.0, 5.0], 3.6, 4),
        pl.Float32(): ([0.5, 2.0], [0.5, 2.0], 1.25, 1.25),
        pl.Float64(): ([0.5, 2.0], [0.5, 2.0], 0.1, 0.1),
        pl.Boolean(): ([True, False], [1.0, 0.0], 1.0, True),
        pl.String(): (["b", "a"], [1.0, 0.0], 1.0, "b"),
        pl.Categorical(): (["b", "a"], [1.0, 0.0], 1.0, "b"),
        pl.Enum(["c", "b", "a"]): (["b", "a"], [1.0, 2.0], 0.0, "c"),
        pl.Date(): (
            [day(1970, 1, 2), day(1969, 12, 31)],
            [86400.0, -86400.0],
            1e5,
            day(1970, 1, 2),
        ),
        pl.Datetime("us"): (
            [moment(1970, 1, 1, 2)],
            [7200.0],
            1e4,
            moment(1970, 1, 1, 3),
        ),
        berlin: (
            [pd.Timestamp("2024-03-30", tz="Europe/Berlin").to_pydatetime()],
            [pd.Timestamp("2024-03-29 23:00").timestamp()],
            pd.Timestamp("2024-04-01 03:00").timestamp(),
            pd.Timestamp("2024-04-01", tz="Europe/Berlin"),
        ),
        pl.Duration("ns"): ([hour], [3600.0], 1e4, 3 * hour),
        pl.Decimal(6, 2): ([number("1.25")], [1.25], 2.006, number("2.01")),
    }


POLARS = polars_cases() if pl else {}


@needs_polars
@pytest.mark.parametrize("dtype", POLARS, ids=str)
def test_columns_of_polars_are_read_and_written(dtype):
    observed, expected, value, becomes = POLARS[dtype]
    X = pl.DataFrame({"n": [1.5] * (len(observed) + 1)}).with_columns(
        pl.Series("a", [*observed, None], dtype=dtype)
    )
    schema = TableSchema.infer(X)
    assert schema.container == "polars"
    values, missing = schema.read(X)
    np.testing.assert_array_equal(values[:, 1], [*expected, np.nan])
    assert missing[:, 1].tolist() == [False] * len(observed) + [True]
    out = schema.write(X, np.where(missing, value, values), missing)
    assert out.schema == X.schema
    assert out["a"].to_list() == [*observed, becomes]
    assert X["a"].to_list() == [*observed, None]
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    built = again.build(values)
    assert built.schema == X.schema
    assert built.equals(X)


@needs_polars
@pytest.mark.parametrize("dtype", POLARS, ids=str)
def test_columns_of_polars_without_observed_cells_and_without_rows(dtype):
    X = pl.DataFrame({"a": pl.Series([None, None], dtype=dtype)})
    schema = TableSchema.infer(X)
    assert schema.read(X)[1].all()
    for table in (X, X[:0]):
        values, missing = schema.read(table)
        assert schema.write(table, values, missing).equals(table)
        assert schema.build(values).schema["a"] == dtype


@needs_polars
def test_nan_and_null_of_polars_are_missing():
    X = pl.DataFrame({"a": [1.0, float("nan"), None], "i": [1, None, 3]})
    for table in (X, X.with_columns(b=pl.lit(True))):
        schema = TableSchema.infer(table)
        assert schema.read(table)[1][:, :2].tolist() == [[0, 0], [1, 1], [1, 0]]
        out = _fill(schema, table, 5.0)
        assert out["a"].to_list() == [1.0, 5.0, 5.0]
        assert out["i"].to_list() == [1, 5, 3]


@needs_polars
def test_enum_of_polars_is_ordered_and_categorical_is_not():
    levels = pl.Series(["b", "a", "b"])
    X = pl.DataFrame(
        {"e": levels.cast(pl.Enum(["c", "b", "a"])), "c": levels.cast(pl.Categorical)}
    )
    enum, categorical = TableSchema.infer(X).columns
    assert (enum.levels, enum.ordered) == (("c", "b", "a"), True)
    assert (categorical.levels, categorical.ordered) == (("a", "b"), False)


@needs_polars
def test_unseen_levels_of_polars_stay_and_new_ones_fit():
    schema = TableSchema.infer(pl.DataFrame({"a": pl.Series(["x", "y"])}))
    for dtype in (pl.Categorical(), pl.String(), pl.Enum(["new", "x"])):
        X = pl.DataFrame({"a": pl.Series(["new", None, "x"], dtype=dtype)})
        values, missing = schema.read(X)
        np.testing.assert_array_equal(values[:, 0], [np.nan, np.nan, 0.0])
        assert missing[:, 0].tolist() == [False, True, False]
        out = _fill(schema, X, 1.0)
        assert out["a"].to_list() == ["new", "y", "x"]
        if dtype != pl.Enum(["new", "x"]):
            assert out.schema == X.schema
    assert out.schema["a"] == pl.Enum(["new", "x", "y"])


@needs_polars
def test_column_of_nulls_of_polars_takes_on_the_fitted_dtype():
    nulls = pl.DataFrame({"a": [None, None]})
    fitted = pl.DataFrame({"a": ["x", "y"]})
    assert _fill(TableSchema.infer(fitted), nulls, 1.0)["a"].to_list() == ["y", "y"]
    fitted = pl.DataFrame({"a": [datetime.date(2024, 1, 1)]})
    assert _fill(TableSchema.infer(fitted), nulls, 0.0).schema["a"] == pl.Date
    assert _fill(TableSchema.infer(nulls), nulls, 2.5)["a"].to_list() == [2.5, 2.5]


@needs_polars
def test_a_level_that_polars_cannot_hold_beside_numbers_is_named():
    X = pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)})
    schema = TableSchema.infer(X)
    with pytest.raises(ValueError, match="Column 'a': got cells of several types"):
        _fill(schema, pl.DataFrame({"a": [1, None]}), 1.0)


@needs_polars
def test_either_frame_may_come_after_a_fit_on_the_other(mixed_table):
    table = mixed_table.astype({"job": "category"})
    other = pl.from_pandas(table)
    fitted = TableSchema.infer(table), TableSchema.infer(other)
    for schema in fitted:
        values, missing = schema.read(table)
        np.testing.assert_array_equal(schema.read(other)[0], values)
        np.testing.assert_array_equal(schema.read(other)[1], missing)
        filled = np.where(missing, 1.0, values)
        out = schema.write(table, filled, missing)
        assert out.dtypes.tolist() == table.dtypes.tolist()
        same = schema.write(other, filled, missing)
        assert same.schema == other.schema
        assert same.rows() == pl.from_pandas(out).rows()
    with pytest.raises(ValueError, match=r"got columns \['job'.*expected"):
        fitted[0].read(other.select(reversed(other.columns)))


@needs_polars
def test_what_polars_holds_besides_is_refused():
    cells = {
        "Time": pl.Series([datetime.time(1)]),
        "List": pl.Series([[1]]),
        "Struct": pl.Series([{"x": 1}]),
        "Binary": pl.Series([b"x"]),
        "Object": pl.Series([object()], dtype=pl.Object),
        "Int128": pl.Series([1], dtype=pl.Int128),
    }
    for name, series in cells.items():
        X = pl.DataFrame({"n": [1.0], "when": series})
        with pytest.raises(
            ValueError, match=rf"Column 'when': got dtype {name}.*expect"
        ):
            TableSchema.infer(X)
    with pytest.raises(TypeError, match=r"got a LazyFrame, .*collect\(\)"):
        TableSchema.infer(X.lazy())


def test_polars_and_pyarrow_are_not_imported_for_tables_of_pandas():
    code = (
        "import sys; sys.modules['pyarrow'] = None; import pandas as pd\n"
        "from vaeimpute._tables import TableSchema\n"
        "X = pd.DataFrame({'a': [1.0, None], 'b': pd.to_datetime(['2024', None])})\n"
        "schema = TableSchema.infer(X)\n"
        "values, missing = schema.read(X)\n"
        "schema.build(values + schema.write(X, values, missing).isna().to_numpy())\n"
        "assert 'polars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Tables in another container.


@pytest.fixture
def assembled():
    """A filled frame with labels that are not text, and its schema."""
    table = pd.DataFrame({7: [1.5, 2.5], 8: ["x", "y"], 9: [True, False]})
    return table, TableSchema.infer(table)


NAMES = ["x0", "x2", "missing_x0"]
INDICATORS = np.array([[True], [False]])


def test_labels_stay_without_indicators(assembled):
    table, schema = assembled
    out = schema.assemble(table, np.arange(3), ["x0", "x1", "x2"])
    pd.testing.assert_frame_equal(out, table)
    out = schema.assemble(table, np.array([0, 2]), NAMES[:2], container="pandas")
    pd.testing.assert_frame_equal(out, table[[7, 9]])


def test_labels_become_text_beside_indicators(assembled):
    table, schema = assembled
    table = table.set_axis(["p", "q"], axis=0)
    out = schema.assemble(table, np.array([0, 2]), NAMES, indicators=INDICATORS)
    expected = pd.DataFrame(
        {"x0": [1.5, 2.5], "x2": [True, False], "missing_x0": [True, False]},
        index=["p", "q"],
    )
    pd.testing.assert_frame_equal(out, expected, check_column_type=False)


def test_frames_after_a_fit_on_an_array_get_names(assembled):
    table, _ = assembled
    schema = TableSchema.infer(table.to_numpy())
    out = schema.assemble(table, np.array([0, 2]), NAMES[:2])
    assert out.columns.tolist() == NAMES[:2]


@pytest.mark.parametrize("dtype", ["float32", "float64", object, bool])
def test_arrays_take_indicators_in_their_dtype(dtype):
    table = np.array([[1, 0], [1, 1]], dtype=dtype)
    schema = TableSchema.infer(table)
    out = schema.assemble(table, np.array([1]), ["x1", "m"], indicators=INDICATORS)
    assert out.dtype == dtype
    assert out.tolist() == [[0, 1], [1, 0]]
    dates = np.array([["2024"], ["2025"]], "M8[s]")
    schema = TableSchema.infer(dates)
    out = schema.assemble(dates, np.array([0]), ["x0", "m"], indicators=INDICATORS)
    assert out.dtype == object
    assert out[:, 1].tolist() == [True, False]


def test_arrays_become_frames_with_names_and_dtypes():
    table = np.array([[1.5, "x"], [2.5, "y"]], dtype=object)
    schema = TableSchema.infer(table)
    out = schema.assemble(
        table,
        np.arange(2),
        ["x0", "x1", "m"],
        indicators=INDICATORS,
        container="pandas",
    )
    assert out.columns.tolist() == ["x0", "x1", "m"]
    assert out["x0"].dtype == np.float64
    assert out["m"].dtype == bool
    assert out["x1"].tolist() == ["x", "y"]


def test_frames_become_arrays():
    table = pd.DataFrame({"a": [1.5, 2.5], "b": pd.array([1, None], dtype="Int8")})
    schema = TableSchema.infer(table)
    out = schema.assemble(table, np.arange(2), list("ab"), container="numpy")
    np.testing.assert_array_equal(out, [[1.5, 1.0], [2.5, np.nan]])
    table["c"] = ["x", "y"]
    out = schema.assemble(table, np.array([0, 2]), list("ac"), container="numpy")
    assert out.tolist() == [[1.5, "x"], [2.5, "y"]]


@needs_polars
def test_frames_of_pandas_become_those_of_polars(assembled):
    table, schema = assembled
    table[8] = table[8].astype("category")
    out = schema.assemble(table, np.arange(3), ["x0", "x1", "x2"], container="polars")
    assert dict(out.schema) == {
        "x0": pl.Float64,
        "x1": pl.Categorical,
        "x2": pl.Boolean,
    }
    assert out.rows() == [(1.5, "x", True), (2.5, "y", False)]
    out = schema.assemble(
        table, np.array([0, 2]), NAMES, indicators=INDICATORS, container="polars"
    )
    assert out.rows() == [(1.5, True, True), (2.5, False, False)]
    assert out.columns == NAMES
    out = schema.assemble(
        table[[7]].to_numpy(), np.array([0]), ["x0"], container="polars"
    )
    assert dict(out.schema) == {"x0": pl.Float64}


@needs_polars
def test_frames_of_polars_become_others():
    table = pl.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    table = table.with_columns(
        c=pl.col("b").cast(pl.Categorical), e=pl.col("b").cast(pl.Enum(["y", "x"]))
    )
    schema = TableSchema.infer(table)
    out = schema.assemble(
        table,
        np.array([0, 2, 3]),
        ["a", "c", "e", "m"],
        indicators=INDICATORS,
        container="pandas",
    )
    assert out.columns.tolist() == ["a", "c", "e", "m"]
    assert isinstance(out["c"].dtype, pd.CategoricalDtype)
    assert out["e"].cat.categories.tolist() == ["y", "x"]
    assert out["m"].tolist() == [True, False]
    # And back.
    again = schema.assemble(out, np.arange(4), list(out), container="polars")
    assert again.schema["e"] == table.schema["e"]
    assert again.schema["c"] == pl.Categorical
    assert again.rows() == [(1.5, "x", "x", True), (2.5, "y", "y", False)]
    out = schema.assemble(table, np.array([0]), ["a"], container="numpy")
    assert out.tolist() == [[1.5], [2.5]]


@needs_polars
def test_indicators_beside_columns_of_polars():
    table = pl.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    schema = TableSchema.infer(table)
    out = schema.assemble(table, np.array([1]), ["b", "m"], indicators=INDICATORS)
    assert dict(out.schema) == {"b": pl.String, "m": pl.Boolean}
    assert out["m"].to_list() == [True, False]


def test_polars_that_is_missing_is_named(monkeypatch):
    table = pd.DataFrame({"a": [1.0, None, 3.0], "b": [2.0, 3.0, 4.0]})
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(table)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"polars, .* pip install 'vaeimpute\[polars"):
        imputer.set_output(transform="polars").transform(table)
