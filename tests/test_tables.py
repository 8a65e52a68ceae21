import json

import numpy as np
import pandas as pd
import pytest

from vaeimpute._tables import TableSchema

INF = float("inf")


def _fill(schema, X, values):
    """Write `values`, one per column, into the missing cells."""
    read, missing = schema.read(X)
    return schema.write(X, np.where(missing, values, read), missing)


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


@pytest.mark.parametrize("shape", [(0, 2), (3, 0), (0, 0)])
@pytest.mark.parametrize("as_table", [np.asarray, pd.DataFrame])
def test_empty_tables(shape, as_table):
    X = as_table(np.ones(shape))
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    assert values.shape == missing.shape == shape
    assert schema.write(X, values, missing).shape == shape
    assert schema.build(values).shape == shape


def test_infinity_in_arrays_reads_as_scikit_learn_asks():
    X = np.array([[1.0, np.inf]])
    with pytest.raises(ValueError, match=r"contains inf|infinity"):
        TableSchema.infer(X).read(X)
    with pytest.raises(ValueError, match="Column 1: got infinity"):
        TableSchema.infer(X, categorical_features=[1])


def test_repeated_names_are_refused():
    X = pd.DataFrame(np.ones((1, 4)), columns=["a", "b", "a", "b"])
    with pytest.raises(ValueError, match=r"repeated column names \['a', 'b'\]"):
        TableSchema.infer(X)


def test_mixed_names_are_refused():
    X = pd.DataFrame(np.ones((1, 2)), columns=["a", 1])
    with pytest.raises(TypeError, match=r"only supported if all .* have string names"):
        TableSchema.infer(X)


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


# Parameters that list or name columns.


@pytest.fixture
def trips():
    """A table with a column of each kind."""
    when = pd.to_datetime(["2024-03-01", "2024-03-30", None])
    table = pd.DataFrame(
        {
            "distance": [1.5, 2.5, None],
            "stops": [1.0, None, 3.0],
            "left": pd.Series(when).dt.tz_localize("Europe/Berlin"),
            "took": pd.to_timedelta(["1h", "30min", None]),
            "by": ["bus", None, "tram"],
        }
    )
    return table.set_axis([10, 11, 12], axis=0)


@pytest.mark.parametrize(
    "given", [["stops"], [1], np.array([1]), np.arange(5) == 1, ("stops", 1)]
)
def test_discrete_features_are_listed_as_categorical_ones(trips, given):
    schema = TableSchema.infer(trips, discrete_features=given)
    is_integer = [column.is_integer for column in schema.columns]
    assert is_integer == [False, True, False, False, False]
    assert _fill(schema, trips, 1.6)["stops"].tolist() == [1.0, 2.0, 3.0]
    assert not any(x.is_integer for x in TableSchema.infer(trips).columns)


def test_discrete_features_are_checked_at_fit_only(trips):
    with pytest.raises(ValueError, match=r"Column 'distance': got 1\.5"):
        TableSchema.infer(trips, discrete_features=["distance"])
    schema = TableSchema.infer(trips, discrete_features=["stops"])
    assert schema.read(trips.assign(stops=0.5))[0][:, 1].tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("given", "entry"),
    [(["a"], "'a'"), ([5], "5"), ("stops", "'stops'"), ([True], "1 booleans")],
)
def test_bad_discrete_features_are_named(trips, given, entry):
    with pytest.raises(ValueError, match=f"discrete_features: got {entry}, expected"):
        TableSchema.infer(trips, discrete_features=given)


def test_both_nominal_and_discrete_is_refused(trips):
    listed = {"categorical_features": [1], "discrete_features": [1]}
    with pytest.raises(ValueError, match="discrete_features: got 'stops', a nominal"):
        TableSchema.infer(trips, **listed)


def test_positions_of_columns(trips):
    schema = TableSchema.infer(trips)
    assert schema.positions(["by", 0, "left"], "columns") == [4, 0, 2]
    assert schema.positions(None, "columns") == []
    with pytest.raises(ValueError, match="columns: got 'bye', expected the name"):
        schema.positions(["bye"], "columns")


# Free text.


@pytest.fixture
def notes():
    """A table of which one column is free text with a missing cell."""
    texts = [f"the {k}th of many long texts" for k in range(29)]
    numbers = [None, *range(29)]
    return pd.DataFrame({"n": numbers, "note": [*texts, None]}).astype({"n": float})


def test_free_text_is_refused_or_left_alone(notes):
    with pytest.raises(ValueError, match="Column 'note': got 29 different texts in 29"):
        TableSchema.infer(notes)
    schema = TableSchema.infer(notes, text_features="passthrough")
    values, missing = schema.read(notes)
    assert np.isnan(values[:, 1]).all()
    assert missing[:, 1].tolist() == [False] * 29 + [True]
    out = schema.write(notes, np.zeros(values.shape), missing)
    assert out["n"].notna().all()
    pd.testing.assert_series_equal(out["note"], notes["note"])
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    built = again.build(values)
    assert built["note"].isna().all()
    assert built.dtypes.tolist() == notes.dtypes.tolist()


def test_listed_free_text_is_nominal(notes):
    schema = TableSchema.infer(notes, categorical_features=["note"])
    assert len(schema.columns[1].levels) == 29


@pytest.mark.parametrize("given", ["drop", None, True])
def test_bad_text_features(notes, given):
    with pytest.raises(ValueError, match=f"text_features: got {given!r}, expected 'er"):
        TableSchema.infer(notes, text_features=given)


# Bounds.


def berlin(text):
    return pd.Timestamp(text, tz="Europe/Berlin").timestamp()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [-INF] * 5),
        (np.nan, [-INF] * 5),
        (2, [2, 2, -INF, -INF, -INF]),
        (np.float32(2.5), [2.5, 2.5, -INF, -INF, -INF]),
        ({}, [-INF] * 5),
        ({"stops": 1}, [-INF, 1, -INF, -INF, -INF]),
        ({1: 1, "distance": None}, [-INF, 1, -INF, -INF, -INF]),
        (
            {"left": "2024-03-31", "took": "1h"},
            [-INF, -INF, berlin("2024-03-31"), 3600, -INF],
        ),
        ([0, np.nan, None, None, None], [0, -INF, -INF, -INF, -INF]),
        (
            [0, 1, pd.Timestamp("2024-04-01", tz="UTC"), pd.Timedelta("15min"), 7],
            [0, 1, berlin("2024-04-02"), 900, -INF],
        ),
        (pd.Series([0, 1, None, None, None], index=list("vwxyz")), [0, 1, *[-INF] * 3]),
        (np.array([3.0, *[np.nan] * 4]), [3, -INF, -INF, -INF, -INF]),
    ],
)
def test_lower_bounds(trips, given, expected):
    bounds = TableSchema.infer(trips).bounds(given, "min_value", -INF)
    assert bounds.dtype == np.float64
    assert bounds.tolist() == expected


def test_upper_bounds_of_dates_are_rounded_down(trips):
    given = {"left": "2024-03-31 12:00", "took": "50min"}
    bounds = TableSchema.infer(trips).bounds(given, "max_value", INF)
    assert bounds.tolist() == [INF, INF, berlin("2024-03-31"), 3000, INF]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("low", "got 'low', expected a number, a dictionary or an array of one number"),
        ([1, 2], r"got \[1, 2\], expected .* shape \(5,\)"),
        ([[1] * 5], "got .* expected a number, a dictionary or an array"),
        ([[1], [1, 2]], "got .* expected a number, a dictionary or an array"),
        (pd.Timestamp("2024"), "got Timestamp.*expected a number, a dictionary"),
        ({"speed": 1}, "got 'speed', expected the name of a column or a position"),
        ({5: 1}, "got 5, expected the name of a column or a position"),
        ({"by": 1}, "got a bound for 'by', a nominal column, expected numeric"),
        ({"left": 1}, "got 1 for column 'left', expected a date"),
        ([1, 1, 1, None, None], "got 1 for column 'left', expected a date"),
        ({"took": 1.5}, "got 1.5 for column 'took', expected a duration"),
        ({"stops": "1"}, "got '1' for column 'stops', expected a number"),
        (["a", 1, None, None, None], "got 'a' for column 'distance', expected a num"),
    ],
)
def test_bad_bounds_are_named(trips, given, message):
    with pytest.raises(ValueError, match=f"^min_value: {message}"):
        TableSchema.infer(trips).bounds(given, "min_value", -INF)


def test_bound_of_free_text_is_refused(notes):
    schema = TableSchema.infer(notes, text_features="passthrough")
    with pytest.raises(ValueError, match="max_value: got a bound for 'note', a text"):
        schema.bounds({"note": 1}, "max_value", INF)
    assert schema.bounds(3, "max_value", INF).tolist() == [3, INF]


# Flags.


AT = np.arange(15).reshape(3, 5) % 4 == 0


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.ndarray.tolist,
        lambda at: at.astype(object),
        lambda at: lambda X: at,
        lambda at: pd.DataFrame(
            at, [10, 11, 12], ["distance", *"stops left took by".split()]
        ),
        lambda at: lambda X: X.isna() & False | at,
        lambda at: (
            pd.DataFrame(at, [10, 11, 12], list(range(5)))
            .set_axis(["distance", "stops", "left", "took", "by"], axis=1)
            .astype("boolean")
        ),
    ],
)
def test_flags_of_every_cell(trips, convert):
    flags = TableSchema.infer(trips).flags(convert(AT), trips, "skip")
    assert flags.dtype == bool
    np.testing.assert_array_equal(flags, AT)


def test_flags_of_some_columns(trips):
    given = pd.DataFrame(
        {"by": [True, False, True], "distance": [False, True, False]}, trips.index
    )
    expected = np.zeros((3, 5), dtype=bool)
    expected[:, 4], expected[:, 0] = given["by"], given["distance"]
    schema = TableSchema.infer(trips)
    np.testing.assert_array_equal(schema.flags(given, trips, "skip"), expected)
    # An array has no labels but those of the fit.
    X = trips[["distance", "stops"]].to_numpy()
    schema = TableSchema.infer(trips[["distance", "stops"]])
    given = given[["distance"]].reset_index(drop=True)
    np.testing.assert_array_equal(schema.flags(given, X, "skip"), expected[:, :2])


def test_flags_and_tables_of_polars(trips):
    pl = pytest.importorskip("polars")
    pandas = pd.DataFrame({"by": [True, False, True]}, trips.index)
    polars = pl.DataFrame({"by": [True, False, True]})
    schema = TableSchema.infer(trips)
    for given in (pandas, polars):
        for X in (trips, pl.from_pandas(trips)):
            flags = schema.flags(given, X, "skip")
            assert flags.sum(axis=0).tolist() == [0, 0, 0, 0, 2]
    with pytest.raises(ValueError, match=r"^skip: got (<NA>|None), expected booleans"):
        schema.flags(pl.DataFrame({"by": [True, None, True]}), trips, "skip")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((3, 4), bool), r"got \(3, 4\), expected .* shape of X, \(3, 5\)"),
        (np.zeros(3, bool), r"got \(3,\), expected"),
        (True, "got True, expected"),
        (None, "got None, expected"),
        ([[True], [True, False], []], "got .* expected a data frame, or booleans"),
        (np.zeros((3, 5)), "got 0.0, expected booleans"),
        (np.full((3, 5), "no"), "got 'no', expected booleans"),
        (np.full((3, 5), None), "got None, expected booleans"),
        (
            pd.DataFrame({"who": [True] * 3}, [10, 11, 12]),
            r"got columns \['who'\], exp",
        ),
        (pd.DataFrame({"by": [True] * 2}, [10, 11]), "got 2 rows, expected 3 as in X"),
        (pd.DataFrame({"by": [True] * 3}), "got another index than that of X"),
        (pd.DataFrame({"by": [1, 0, 1]}, [10, 11, 12]), "got 1, expected booleans"),
        (
            pd.DataFrame({"by": pd.array([True, None, True])}, [10, 11, 12]),
            "got <NA>, expected booleans",
        ),
    ],
)
def test_bad_flags_are_named(trips, given, message):
    schema = TableSchema.infer(trips)
    with pytest.raises(ValueError, match=f"^skip: {message}"):
        schema.flags(given, trips, "skip")
    with pytest.raises(ValueError, match=f"^skip: {message}"):
        schema.flags(lambda X: given, trips, "skip")
