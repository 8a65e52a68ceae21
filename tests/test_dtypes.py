"""Dates, durations, decimals, types of Arrow, and dtypes that are refused."""

import datetime
import decimal
import json
import re
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from vaeimpute._dtypes import moments, parsed, seconds, text_of
from vaeimpute._tables import TableSchema

try:
    import pyarrow as pa
except ImportError:
    pa = None

needs_arrow = pytest.mark.skipif(pa is None, reason="needs pyarrow")

RESOLUTIONS = ["s", "ms", "us", "ns"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]
FIXED = [
    datetime.timezone(datetime.timedelta(hours=1)),
    datetime.timezone(-datetime.timedelta(hours=5, minutes=30)),
]
HOUR = 3600


def arrow(kind):
    return pd.ArrowDtype(kind)


def fill(X, value):
    """Write a value into the missing cells of a table with one column."""
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    return schema.write(X, np.where(missing, value, values), missing)


def filled(cells, value):
    """Return the last cell, filled, after a check that the others stay."""
    X = cells.to_frame("when")
    out = fill(X, value)
    assert out["when"].dtype == cells.dtype
    pd.testing.assert_frame_equal(out.iloc[:-1], X.iloc[:-1])
    return out["when"].iloc[-1]


def utc(text):
    return pd.Timestamp(text, tz="UTC").timestamp()


def dates(texts, dtype="datetime64[ns]"):
    return pd.Series([*map(pd.Timestamp, texts), pd.NaT]).astype(dtype)


def column_of(cells):
    return TableSchema.infer(pd.DataFrame({"when": cells})).columns[0]


# Values.


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_dates_are_seconds_since_1970(resolution):
    X = dates(["1970-01-02", "1969-12-31 23:59:58"], f"datetime64[{resolution}]")
    values, missing = TableSchema.infer(X.to_frame("when")).read(X.to_frame("when"))
    np.testing.assert_array_equal(values[:, 0], [86400, -2, np.nan])
    assert missing[:, 0].tolist() == [False, False, True]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_durations_are_seconds(resolution):
    X = pd.DataFrame({"for": pd.to_timedelta(["1h", "-90s", None])})
    X = X.astype(f"timedelta64[{resolution}]")
    values = TableSchema.infer(X).read(X)[0]
    np.testing.assert_array_equal(values[:, 0], [HOUR, -90, np.nan])


@pytest.mark.parametrize("zone", ZONES)
def test_zoned_dates_are_seconds_in_utc(zone):
    X = dates(["2024-07-01 12:00"]).dt.tz_localize("UTC").dt.tz_convert(zone)
    assert seconds(X.dropna()).tolist() == [utc("2024-07-01 12:00")]


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2024-02-29", "D"),
        ("2024-02-29 13:00", "h"),
        ("2024-02-29 13:37", "min"),
        ("2024-02-29 13:37:01", "s"),
        ("2024-02-29 13:37:01.5", "ms"),
        ("2024-02-29 13:37:01.000001", "us"),
        ("2024-02-29 13:37:01.000000001", "ns"),
    ],
)
def test_unit_is_the_coarsest_that_all_cells_share(text, unit, resolution):
    moment = pd.Timestamp(text)
    if moment.as_unit(resolution) != moment:
        return  # finer than the dtype holds
    for cells in ([text], ["2020-01-01", text], [text, "1950-01-01"]):
        column = column_of(dates(cells, f"datetime64[{resolution}]"))
        assert (column.kind, column.unit) == ("numeric", unit)
        since = dates(cells) - pd.Timestamp("2000-01-01")
        assert column_of(since.astype(f"timedelta64[{resolution}]")).unit == unit


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("code", ["datetime64", "timedelta64"])
def test_unit_without_observed_cells_is_the_finest(resolution, code):
    cells = pd.Series([None, None], dtype=f"{code}[{resolution}]")
    assert column_of(cells).unit == resolution


@pytest.mark.parametrize("zone", [*ZONES, *FIXED], ids=str)
def test_midnights_of_a_zone_are_days(zone):
    cells = pd.Series(pd.date_range("2024-01-01", periods=400, freq="D", tz=zone))
    assert column_of(cells).unit == "D"
    shifted = cells + pd.Timedelta("15min")
    assert column_of(shifted).unit == "min"


# Filled cells.


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ("2024-01-01", "2024-03-10"),
        ("2024-01-01 01:00", "2024-03-09 17:00"),
        ("2024-01-01 00:01", "2024-03-09 16:31"),
        ("2024-01-01 00:00:01", "2024-03-09 16:30:31"),
    ],
)
def test_filled_dates_are_rounded_to_the_unit(observed, expected, resolution):
    cells = dates([observed], f"datetime64[{resolution}]")
    value = utc("2024-03-09 16:30:30.75")
    assert filled(cells, value) == pd.Timestamp(expected)
    since = (cells - pd.Timestamp("2024-01-01")).astype(f"timedelta64[{resolution}]")
    value -= utc("2024-01-01")
    assert filled(since, value) == pd.Timestamp(expected) - pd.Timestamp("2024-01-01")


def test_fractions_of_seconds_are_rounded_too():
    cells = dates(["2024-01-01 00:00:00.25"])
    value = utc("2024-03-09 16:30:30.123456")
    assert filled(cells, value) == pd.Timestamp("2024-03-09 16:30:30.123")
    cells = dates(["2024-01-01 00:00:00.000025"])
    assert filled(cells, value) == pd.Timestamp("2024-03-09 16:30:30.123456")


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("zone", [*ZONES, *FIXED], ids=str)
def test_midnights_stay_midnights_across_changes_of_the_clock(zone, resolution):
    days = pd.date_range("2023-12-30", "2024-12-30", freq="D", tz=zone)
    X = pd.DataFrame({"when": pd.Series(days.as_unit(resolution))})
    schema = TableSchema.infer(X)
    values = schema.read(X)[0]
    rng = np.random.default_rng(0)
    near = values + rng.uniform(-11, 11, size=values.shape) * HOUR
    out = schema.write(X, near, np.ones(X.shape, dtype=bool))
    pd.testing.assert_frame_equal(out, X)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_hours_stay_hours_across_changes_of_the_clock(resolution):
    hours = pd.date_range("2024-03-30", "2024-04-01", freq="h", tz="Europe/Berlin")
    autumn = pd.date_range("2024-10-26", "2024-10-28", freq="h", tz="Europe/Berlin")
    cells = pd.Series(hours.append(autumn).as_unit(resolution))
    X = pd.DataFrame({"when": cells})
    schema = TableSchema.infer(X)
    assert schema.columns[0].unit == "h"
    near = schema.read(X)[0] + 0.3 * HOUR
    # Both hours that clocks of autumn show twice are told apart.
    out = schema.write(X, near, np.ones(X.shape, dtype=bool))
    pd.testing.assert_frame_equal(out, X)


def test_wall_times_that_do_not_exist_or_are_ambiguous_are_settled():
    # In Beirut the day of 2022-03-27 starts at 01:00.
    cells = dates(["2022-03-01", "2022-04-01"]).dt.tz_localize("Asia/Beirut")
    assert column_of(cells).unit == "D"
    gap = pd.Timestamp("2022-03-27 01:00", tz="Asia/Beirut")
    assert filled(cells, gap.timestamp() + 60) == gap
    # In Havana the first hour of 2023-11-05 comes twice.
    cells = dates(["2023-11-01"]).dt.tz_localize("America/Havana")
    out = filled(cells, utc("2023-11-05 09:00"))
    assert out.tz_localize(None) == pd.Timestamp("2023-11-05")


@pytest.mark.parametrize("value", [1e300, 1e18, -1e18, -1e300])
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_dates_out_of_range_become_the_first_and_last(resolution, value):
    cells = dates(["2020-01-01"], f"datetime64[{resolution}]")
    ends = ["0001-01-01", "9999-12-31"]
    if resolution == "ns":
        ends = ["1677-09-22", "2262-04-11"]
    assert filled(cells, value) == pd.Timestamp(ends[value > 0])
    for zone in (*ZONES, *FIXED):
        out = filled(cells.dt.tz_localize(zone), value).tz_localize(None)
        assert abs(out - pd.Timestamp(ends[value > 0]).as_unit("s")).days <= 2


@pytest.mark.parametrize("value", [1e300, -1e300])
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_durations_out_of_range_stay_finite(resolution, value):
    cells = pd.Series(pd.to_timedelta(["1h", None])).astype(f"m8[{resolution}]")
    assert np.sign(filled(cells, value).total_seconds()) == np.sign(value)


def test_dates_at_the_end_of_the_calendar_come_back():
    for text in ("9999-12-31", "0001-01-01"):
        cells = dates([text], "datetime64[s]")
        assert filled(cells, seconds(cells[:1])[0]) == pd.Timestamp(text)


def test_unit_of_the_fit_and_resolution_of_the_table_both_count():
    schema = TableSchema.infer(pd.DataFrame({"when": dates(["2024-01-01 00:00:00.5"])}))
    X = pd.DataFrame({"when": pd.Series([None], dtype="datetime64[s]")})
    out = schema.write(X, np.array([[1.7]]), np.array([[True]]))
    assert out["when"].tolist() == [pd.Timestamp("1970-01-01 00:00:02")]


def test_dates_of_another_zone_are_the_same_moments():
    cells = dates(["2024-07-01"]).dt.tz_localize("Europe/Berlin")
    schema = TableSchema.infer(cells.to_frame("when"))
    X = cells.dt.tz_convert("Asia/Tokyo").to_frame("when")
    assert schema.read(X)[0][0] == utc("2024-06-30 22:00")
    out = schema.write(X, np.full((2, 1), utc("2024-07-01 16:00")), schema.read(X)[1])
    assert out["when"].iloc[1] == pd.Timestamp("2024-07-02", tz="Asia/Tokyo")


@pytest.mark.parametrize("dtype", ["float64", "object", "string", "timedelta64[s]"])
def test_dates_are_written_over_any_blank_column(dtype):
    schema = TableSchema.infer(dates(["2024-01-01"]).to_frame("when"))
    X = pd.DataFrame({"when": pd.Series([None, None], index=[3, 5], dtype=dtype)})
    missing = schema.read(X)[1]
    assert missing.all()
    out = schema.write(X, np.array([[86400.0], [np.nan]]), missing)
    assert out["when"].tolist() == [pd.Timestamp("1970-01-02"), pd.NaT]
    assert out.index.tolist() == [3, 5]


@pytest.mark.parametrize(
    ("fitted", "expected"),
    [([1.5, 2.5], 1.0), ([1, 2], 1), (["x", "2020"], "x"), ([True, False], True)],
)
def test_others_are_written_over_a_blank_column_of_dates(fitted, expected):
    schema = TableSchema.infer(pd.DataFrame({"a": fitted}))
    X = pd.DataFrame({"a": pd.Series([None, None], dtype="datetime64[ns]")})
    missing = schema.read(X)[1]
    out = schema.write(X, np.array([[1.0], [np.nan]]), missing)
    assert out["a"].iloc[0] == expected
    assert pd.isna(out["a"].iloc[1])


# Columns that changed since fit.


@pytest.mark.parametrize(
    ("fitted", "other", "expected"),
    [
        ([1.0, 2.0], dates(["2020"]), "expected numbers as at fit"),
        (dates(["2020"]), [1.0, 2.0], "expected dates without a time zone as at fit"),
        (dates(["2020"]), ["a", "b"], "expected dates without a time zone"),
        (
            dates(["2020"]),
            dates(["2020"]).dt.tz_localize("UTC"),
            "expected dates without a time zone",
        ),
        (
            dates(["2020"]).dt.tz_localize("UTC"),
            dates(["2020"]),
            "expected dates with a time zone",
        ),
        (dates(["2020"]), pd.to_timedelta(["1h"]), "expected dates without"),
        (pd.to_timedelta(["1h"]), dates(["2020"]), "expected durations"),
        (["x", "y"], dates(["2020"]), "expected levels such as 'x'"),
        ([True, False], dates(["2020"]), "expected levels such as False"),
    ],
)
def test_dates_in_place_of_others_and_others_in_place_of_dates(fitted, other, expected):
    schema = TableSchema.infer(pd.DataFrame({"when": fitted}))
    with pytest.raises(ValueError, match=f"Column 'when': got .*{expected}"):
        schema.read(pd.DataFrame({"when": other}))


# Schemas that are saved.


@pytest.mark.parametrize("zone", [None, *ZONES, *FIXED], ids=str)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_schema_of_dates_survives_json_and_builds_them(zone, resolution):
    cells = dates(["2024-01-01", "2024-07-01"]).dt.tz_localize(zone)
    X = cells.dt.as_unit(resolution).to_frame("when")
    X["for"] = pd.to_timedelta(["1h", "2h", None]).as_unit(resolution)
    schema = TableSchema.infer(X)
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    pd.testing.assert_frame_equal(again.build(again.read(X)[0]), X)


@needs_arrow
@pytest.mark.parametrize(
    "text",
    [
        *("utf8[pyarrow]", "large_string[pyarrow]", "string[python]", "Int8", "bool"),
        "timestamp[us, tz=Europe/Berlin][pyarrow]",
        *("date32[day][pyarrow]", "date64[ms][pyarrow]", "duration[s][pyarrow]"),
        *("decimal128(10, 2)[pyarrow]", "decimal256(50, -3)[pyarrow]"),
        "dictionary<values=large_string, indices=uint32, ordered=0>[pyarrow]",
        "dictionary<values=int64, indices=int8, ordered=1>[pyarrow]",
    ],
)
def test_text_of_a_dtype_is_read_again(text):
    assert text_of(parsed(text)) == text
    assert parsed(text_of(parsed(text))) == parsed(text)


# Arrow.


def arrow_cases():
    berlin, day = ZoneInfo("Europe/Berlin"), datetime.date
    noon = datetime.datetime(2024, 3, 30, 12, tzinfo=berlin)
    hour = datetime.timedelta(hours=1)
    number = decimal.Decimal
    return {  # type: observed cells, their values, a value to fill in, what it becomes
        pa.timestamp("us", "Europe/Berlin"): (
            [noon.replace(hour=0), noon],
            [utc("2024-03-29 23:00"), utc("2024-03-30 11:00")],
            utc("2024-03-31 01:20"),
            pd.Timestamp("2024-03-31 03:00", tz="Europe/Berlin"),
        ),
        pa.timestamp("s"): (
            [datetime.datetime(1970, 1, 2)],
            [86400.0],
            1e5,
            pd.Timestamp("1970-01-02"),
        ),
        pa.date32(): ([day(1970, 1, 3)], [172800.0], -5e4, day(1969, 12, 31)),
        pa.date64(): ([day(1970, 1, 3)], [172800.0], 4e4, day(1970, 1, 1)),
        pa.duration("ms"): ([hour], [3600.0], 1e4, pd.Timedelta("3h")),
        pa.decimal128(6, 2): (
            [number("1.25"), number("3.00")],
            [1.25, 3.0],
            2.006,
            number("2.01"),
        ),
        pa.decimal256(60, 1): ([number("0.5")], [0.5], -0.26, number("-0.3")),
        pa.dictionary(pa.int8(), pa.string()): (["b", "a"], [0.0, 1.0], 1.0, "a"),
        pa.dictionary(pa.uint32(), pa.int64()): ([7, 5], [0.0, 1.0], 1.0, 5),
        pa.string(): (["b", "a"], [1.0, 0.0], 1.0, "b"),
        pa.large_string(): (["b", "a"], [1.0, 0.0], 1.0, "b"),
        pa.bool_(): ([True, False], [1.0, 0.0], 1.0, True),
        pa.uint8(): ([3, 250], [3.0, 250.0], 300.0, 255),
        pa.float32(): ([0.5], [0.5], 1.5, 1.5),
    }


ARROW = arrow_cases() if pa else {}


@needs_arrow
@pytest.mark.parametrize("kind", ARROW, ids=str)
def test_types_of_arrow_are_read_and_written(kind):
    observed, expected, value, becomes = ARROW[kind]
    cells = pd.Series([*observed, None], dtype=arrow(kind))
    X = cells.to_frame("a").set_axis(np.arange(len(cells))[::-1], axis=0)
    schema = TableSchema.infer(X)
    values, missing = schema.read(X)
    np.testing.assert_array_equal(values[:, 0], [*expected, np.nan])
    assert missing[:, 0].tolist() == [False] * len(observed) + [True]
    before = X.copy(deep=True)
    out = schema.write(X, np.where(missing, value, values), missing)
    assert out["a"].iloc[-1] == becomes
    assert out["a"].dtype == X["a"].dtype
    pd.testing.assert_frame_equal(out.iloc[:-1], X.iloc[:-1])
    pd.testing.assert_frame_equal(X, before)
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    built = again.build(values)
    assert built.dtypes.tolist() == X.dtypes.tolist()
    assert built["a"].iloc[:-1].tolist() == observed
    assert built["a"].isna().tolist() == missing[:, 0].tolist()


@needs_arrow
@pytest.mark.parametrize("kind", ARROW, ids=str)
def test_types_of_arrow_without_observed_cells(kind):
    X = pd.DataFrame({"a": pd.Series([None, None], dtype=arrow(kind))})
    schema = TableSchema.infer(X)
    assert schema.read(X)[1].all()
    pd.testing.assert_frame_equal(schema.write(X, *schema.read(X)), X)
    pd.testing.assert_frame_equal(schema.build(schema.read(X)[0]), X)
    empty = schema.write(X[:0], *schema.read(X[:0]))
    assert empty["a"].dtype == X["a"].dtype


@needs_arrow
def test_decimals_are_clipped_to_their_precision():
    cells = pd.Series([decimal.Decimal("1.25"), None], dtype=arrow(pa.decimal128(5, 2)))
    assert filled(cells, 1e300) == decimal.Decimal("999.99")
    assert filled(cells, -1e300) == decimal.Decimal("-999.99")
    cells = pd.Series([decimal.Decimal(7), None], dtype=arrow(pa.decimal128(38, 0)))
    assert column_of(cells).is_integer
    assert filled(cells, 1e300) == decimal.Decimal("9" * 38)


@needs_arrow
def test_listed_decimals_are_levels():
    cells = pd.Series([decimal.Decimal("1.50"), None], dtype=arrow(pa.decimal128(5, 2)))
    X = pd.DataFrame({"a": cells})
    schema = TableSchema.infer(X, categorical_features=["a"])
    assert schema.columns[0].levels == (1.5,)
    out = schema.write(X, np.zeros((2, 1)), schema.read(X)[1])
    assert out["a"].tolist() == [decimal.Decimal("1.50")] * 2


@needs_arrow
def test_dictionary_gains_a_level_and_longer_codes():
    levels = [f"{k:03}" for k in range(200)]
    schema = TableSchema.infer(pd.DataFrame({"a": levels}), categorical_features=["a"])
    short = arrow(pa.dictionary(pa.int8(), pa.string()))
    X = pd.DataFrame({"a": pd.Series(["007", None], dtype=short)})
    missing = schema.read(X)[1]
    out = schema.write(X, np.full((2, 1), 8.0), missing)
    assert out["a"].tolist() == ["007", "008"]
    assert out["a"].dtype == short
    X = pd.DataFrame({"a": pd.Series([*levels[:126], None, None], dtype=short)})
    values = np.arange(72.0, 200.0)[:, None]
    out = schema.write(X, values, schema.read(X)[1])
    assert out["a"].tolist() == [*levels[:126], "198", "199"]


@needs_arrow
def test_column_of_nulls_takes_on_the_dtype_at_fit():
    X = pd.DataFrame({"a": pd.Series([None, None], dtype=arrow(pa.null()))})
    for fitted, becomes in (
        ([1.5, 2.0], 1.0),
        (["x", "y"], "y"),
        ([True, False], True),
    ):
        schema = TableSchema.infer(pd.DataFrame({"a": fitted}))
        missing = schema.read(X)[1]
        assert missing.all()
        assert schema.write(X, np.ones((2, 1)), missing)["a"].tolist() == [becomes] * 2
    # A column of nulls at fit is one of numbers.
    assert fill(X, 1.0)["a"].tolist() == [1.0, 1.0]


def test_moments_are_the_nearest_multiples_of_the_unit():
    rng = np.random.default_rng(0)
    values = rng.integers(-(2 * 10**9), 5 * 10**9, size=1000).astype(float)
    for unit, step in {"D": 86400, "h": HOUR, "min": 60, "s": 1}.items():
        expected = np.floor(values / step + 0.5) * step
        for resolution in RESOLUTIONS:
            found = moments(values, unit, np.dtype(f"M8[{resolution}]"))
            np.testing.assert_array_equal(seconds(pd.Series(found)), expected)


# What is refused.


@pytest.mark.parametrize(
    ("cells", "way"),
    [
        (
            pd.Series(pd.PeriodIndex(["2020-01", None], freq="M")),
            r"dt.to_timestamp\(\)",
        ),
        (pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2])), "category"),
        (pd.Series([1j, 2]), "Complex data not supported"),
        (pd.Series(pd.arrays.SparseArray([0.0, 1.0])), r"sparse.to_dense\(\)"),
    ],
    ids=lambda x: str(getattr(x, "dtype", "")),
)
def test_other_dtypes_are_refused(cells, way):
    message = re.escape(f"Column 'when': got dtype {cells.dtype}")
    X = pd.DataFrame({"when": cells})
    with pytest.raises(ValueError, match=message + r".*expected numbers") as caught:
        TableSchema.infer(X)
    assert re.search(way, str(caught.value))
    schema = TableSchema.infer(pd.DataFrame({"when": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=message):
        schema.read(X)


@needs_arrow
@pytest.mark.parametrize("name", ["time32", "time64", "binary", "list_", "struct"])
def test_other_types_of_arrow_are_refused(name):
    kind, way = {
        "time32": lambda: (pa.time32("s"), "pd.to_timedelta"),
        "time64": lambda: (pa.time64("us"), "pd.to_timedelta"),
        "binary": lambda: (pa.binary(), "durations"),
        "list_": lambda: (pa.list_(pa.int64()), "durations"),
        "struct": lambda: (pa.struct([("x", pa.int64())]), "durations"),
    }[name]()
    X = pd.DataFrame({"when": pd.Series([None, None], dtype=arrow(kind))})
    message = re.escape(f"Column 'when': got dtype {X['when'].dtype}")
    with pytest.raises(ValueError, match=message + r".*expected num.*" + way):
        TableSchema.infer(X)


@pytest.mark.parametrize(
    "cell",
    [{"x": 1}, [1, 2], np.arange(2), (1,), b"x", 1j, object()],
    ids=lambda cell: type(cell).__name__,
)
def test_cells_that_are_neither_text_nor_numbers_are_refused(cell):
    X = np.empty((2, 2), dtype=object)
    X[:, 0], X[0, 1], X[1, 1] = 1.0, cell, 2.0
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        TableSchema.infer(X)
    frame = pd.DataFrame(X, columns=["a", "b"])
    with pytest.raises(TypeError, match="Column 'b'"):
        TableSchema.infer(frame, missing_values="?")


@pytest.mark.parametrize(
    ("cell", "way"),
    [
        (datetime.date(2020, 1, 1), "pd.to_datetime"),
        (datetime.datetime(2020, 1, 1), "pd.to_datetime"),
        (pd.Timestamp("2020"), "pd.to_datetime"),
        (np.datetime64("2020"), "pd.to_datetime"),
        (pd.Timedelta("1h"), "pd.to_timedelta"),
        (np.timedelta64(1, "s"), "pd.to_timedelta"),
        (decimal.Decimal("1.5"), "pd.to_numeric"),
        (pd.Period("2020"), "to_timestamp"),
        (datetime.time(12), "pd.to_timedelta"),
        (pd.Interval(0, 1), "category"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("others", [None, 1.0, "x"])
def test_objects_with_a_dtype_of_their_own_are_told_how_to_convert(cell, way, others):
    X = pd.DataFrame({"when": pd.Series([cell, others], dtype=object)})
    message = rf"Column 'when': argument must be .* number, .*convert .*{way}"
    with pytest.raises(TypeError, match=message):
        TableSchema.infer(X)
    schema = TableSchema.infer(pd.DataFrame({"when": [1.0, 2.0]}))
    with pytest.raises(TypeError, match=message):
        schema.read(X)


def test_category_of_dates_is_nominal():
    cells = dates(["2024-01-01", "2023-01-01"]).astype("category")
    column = column_of(cells)
    assert column.kind == "nominal"
    assert column.levels == (pd.Timestamp("2023-01-01"), pd.Timestamp("2024-01-01"))
    assert filled(cells, 1.0) == pd.Timestamp("2024-01-01")
