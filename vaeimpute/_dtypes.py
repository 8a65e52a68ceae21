"""What the dtypes of pandas hold, and values as their cells.

Cells of every supported dtype are viewed in a few: numbers and booleans, text, objects,
categories, and dates and durations of NumPy. Values become cells again in the dtype
that they came from: numbers in its range, decimals of its scale, and dates rounded in
wall time.
"""

from __future__ import annotations

import datetime
import decimal
import numbers
import re
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

#: Nanoseconds of each unit of time, coarsest first.
_NANOSECONDS = {
    **{"D": 86_400 * 10**9, "h": 3_600 * 10**9, "min": 60 * 10**9},
    **{"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1},
}
_DAY = 86_400

#: Seconds of the first and last moment that Python's calendar and time zones know.
_FIRST, _LAST = -62_135_596_800, 253_402_300_799

_CONTENT = {
    **{"b": "booleans", "i": "integers", "u": "integers", "f": "numbers"},
    **{"M": "dates", "m": "durations"},
}

#: Types of objects that have a dtype of their own, and what converts to it.
_CONVERSIONS = [
    ((datetime.date, np.datetime64), "pd.to_datetime(...)"),
    ((datetime.timedelta, np.timedelta64), "pd.to_timedelta(...)"),
    (decimal.Decimal, "pd.to_numeric(...)"),
    (pd.Period, "pd.PeriodIndex(...).to_timestamp()"),
    (datetime.time, "pd.to_timedelta(... .astype(str))"),
    (pd.Interval, "astype('category')"),
]

#: How the names of dtypes that are not supported start, and the way out.
_WAYS_OUT = {
    "period": "; convert periods with .dt.to_timestamp()",
    "interval": "; convert intervals with astype('category')",
    "Sparse": "; convert sparse columns with .sparse.to_dense()",
    "time": "; convert times of day with pd.to_timedelta(... .astype(str))",
    "Time": "; convert times of day with .cast(pl.Duration)",
}


class Clock(NamedTuple):
    """How a dtype of dates or durations counts time.

    Attributes
    ----------
    measure : {"dates", "zoned dates", "durations"}
    resolution : {"D", "s", "ms", "us", "ns"}
        "D" is that of Arrow's dates.
    zone : tzinfo, str or None
    """

    measure: str
    resolution: str
    zone: Any


def clock_of(dtype: Any) -> Clock | None:
    """Return how a dtype counts time; None if it does not."""
    if dtype.kind not in "mM":
        return None
    zone = None
    if isinstance(dtype, pd.ArrowDtype):  # of its types, only those of days lack a unit
        resolution = getattr(dtype.pyarrow_dtype, "unit", "D")
        zone = getattr(dtype.pyarrow_dtype, "tz", None)
    elif isinstance(dtype, pd.DatetimeTZDtype):
        resolution, zone = dtype.unit, dtype.tz
    else:
        resolution = np.datetime_data(dtype)[0]
    measure = "zoned dates" if zone is not None else _CONTENT[dtype.kind]
    return Clock(measure, resolution, zone)


def measure_of(dtype: Any) -> str:
    """Say what is read from a dtype: what a clock measures, numbers, or nothing."""
    clock = clock_of(dtype)
    if clock is not None:
        return clock.measure
    return "nothing" if str(dtype) == "null[pyarrow]" else "numbers"


def content_of(observed: pd.Series) -> str:
    """Say what viewed cells hold.

    One of "category", "text", "booleans", "integers", "numbers", "dates",
    "zoned dates" and "durations".
    """
    dtype = observed.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "zoned dates"
    if not types.is_object_dtype(dtype):
        return _CONTENT.get(dtype.kind, "text")
    found = set(map(type, observed))
    if any(issubclass(x, str) for x in found):
        return "text"
    if found and found <= {bool, np.bool_}:
        return "booleans"
    is_integer = found and all(issubclass(x, numbers.Integral) for x in found)
    return "integers" if is_integer else "numbers"


def view(cells: pd.Series, label: str) -> pd.Series:
    """Return cells in a dtype that `content_of` knows.

    Raises
    ------
    ValueError
        If there is none for the dtype of the cells.
    TypeError
        If cells of an object column are neither text nor numbers.
    """
    dtype = cells.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _view_of_arrow(cells, label)
    if types.is_object_dtype(dtype):
        _check_objects(cells, label)
    elif isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)):
        pass
    elif isinstance(dtype, pd.SparseDtype) or dtype.kind not in "biufmM":
        raise unsupported(label, dtype)
    return cells


def missing_in(cells: pd.Series) -> np.ndarray:
    """Return where viewed cells are missing."""
    if cells.dtype.kind == "f":  # a nullable float can hold NaN beside NA
        return np.isnan(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    return cells.isna().to_numpy(dtype=bool)


def _view_of_arrow(cells: pd.Series, label: str) -> pd.Series:
    import pyarrow as pa

    dtype, kind = cells.dtype, cells.dtype.pyarrow_dtype
    array = cells.array.__arrow_array__()
    if pa.types.is_decimal(kind):
        return array.cast(pa.float64()).to_pandas()
    if dtype.kind in "mM" or is_dictionary(dtype) or pa.types.is_null(kind):
        return array.to_pandas(date_as_object=False)
    if dtype.kind not in "biufU":
        raise unsupported(label, dtype)
    return cells


def _check_objects(cells: pd.Series, label: str) -> None:
    for cell_type in set(map(type, cells[cells.notna()])):
        ways = [way for kinds, way in _CONVERSIONS if issubclass(cell_type, kinds)]
        if ways or not issubclass(cell_type, (str, np.bool_, numbers.Real)):
            advice = f"; convert the column with {ways[0]}" if ways else ""
            raise TypeError(
                f"{label}: argument must be a string or a real number, "
                f"got a cell of type {cell_type.__name__!r}{advice}"
            )


def unsupported(label: str, dtype: Any) -> ValueError:
    """Return the error for a dtype that is not supported."""
    note = " (Complex data not supported)" if getattr(dtype, "kind", "") == "c" else ""
    ways = (way for start, way in _WAYS_OUT.items() if str(dtype).startswith(start))
    return ValueError(
        f"{label}: got dtype {dtype}{note}, expected numbers, booleans, text, "
        f"categories, dates or durations{next(ways, '')}"
    )


def text_of(dtype: Any) -> str:
    """Return the text from which `parsed` makes the dtype."""
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is pd.NA:
        return f"string[{dtype.storage}]"
    if isinstance(dtype, pd.ArrowDtype):
        # "string[pyarrow]" means the StringDtype; and what is null may become a number.
        alias = {"string[pyarrow]": "utf8[pyarrow]", "null[pyarrow]": "double[pyarrow]"}
        return alias.get(str(dtype), str(dtype))
    offset = dtype.tz.utcoffset(None) if isinstance(dtype, pd.DatetimeTZDtype) else None
    if not offset:
        return str(dtype)
    # pandas can read the name of every zone but those of some fixed offsets.
    sign = "-" if offset.days < 0 else "+"
    minutes = abs(offset) // datetime.timedelta(minutes=1)
    return f"datetime64[{dtype.unit}, UTC{sign}{minutes // 60:02}:{minutes % 60:02}]"


def parsed(text: str) -> Any:
    """Return the dtype of a text, also those of Arrow that pandas cannot read."""
    number = re.fullmatch(r"(decimal\d+)\((\d+), (-?\d+)\)\[pyarrow\]", text)
    coded = re.fullmatch(
        r"dictionary<values=(.+), indices=(.+), ordered=(\d)>\[pyarrow\]", text
    )
    if not (number or coded):
        return types.pandas_dtype(text)
    import pyarrow as pa

    if number:
        name, precision, scale = number.groups()
        return pd.ArrowDtype(getattr(pa, name)(int(precision), int(scale)))
    values, indices = map(pa.type_for_alias, coded.groups()[:2])
    return pd.ArrowDtype(pa.dictionary(indices, values, coded[3] == "1"))


def clipped(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return numbers of a dtype, in its range and whole where it asks for it."""
    if dtype.kind in "iub":
        values = np.rint(values) + 0.0  # + 0.0 turns -0.0 into 0.0
    return np.clip(values, *_range(dtype)).astype(dtype)


def _range(dtype: np.dtype) -> tuple[float, float]:
    """Return the smallest and largest float64 that a dtype can hold."""
    if dtype.kind == "b":
        return 0.0, 1.0
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    high = float(info.max)
    # 2**63 - 1 has no float64: the nearest one, 2**63, is already out of range.
    return float(info.min), np.nextafter(high, 0) if high > info.max else high


def scale_of(dtype: Any) -> int | None:
    """Return the decimal places of a dtype of decimals, else None."""
    return getattr(getattr(dtype, "pyarrow_dtype", None), "scale", None)


def decimals(values: Iterable[float], dtype: pd.ArrowDtype) -> Any:
    """Return an Arrow array of the nearest decimals that a dtype holds."""
    import pyarrow as pa

    kind = dtype.pyarrow_dtype
    with decimal.localcontext(prec=400):  # more digits than any float64 has
        step = decimal.Decimal(1).scaleb(-kind.scale)
        largest = (10**kind.precision - 1) * step
        cells = [
            min(max(decimal.Decimal(repr(float(x))), -largest), largest).quantize(step)
            for x in values
        ]
    return pa.array(cells, type=kind)


def is_dictionary(dtype: Any) -> bool:
    """Say whether a dtype is that of Arrow's categories."""
    return str(dtype).startswith("dictionary<")


def dictionary(cells: pd.Series, dtype: pd.ArrowDtype) -> pd.Series:
    """Return a category in a dtype of Arrow's, with as long codes as it needs."""
    import pyarrow as pa

    kind, codes = dtype.pyarrow_dtype, cells.cat.codes.to_numpy()
    levels = pa.array(cells.cat.categories, type=kind.value_type)
    has_room = len(levels) < 2 ** (kind.index_type.bit_width - 1)
    index_type = kind.index_type if has_room else pa.int32()
    indices = pa.array(codes, mask=codes < 0).cast(index_type, safe=False)
    array = pa.DictionaryArray.from_arrays(indices, levels, ordered=kind.ordered)
    return pd.Series(pd.arrays.ArrowExtensionArray(array))


def seconds(observed: pd.Series) -> np.ndarray:
    """Return durations, or dates since 1970-01-01 UTC, as float64 seconds."""
    clock = clock_of(observed.dtype)
    utc = observed if clock.zone is None else observed.dt.tz_convert(None)
    per_second = 10**9 // _NANOSECONDS[clock.resolution]
    # The ticks of whole seconds may have no float64, but the seconds have.
    whole, ticks = np.divmod(utc.to_numpy().view(np.int64), per_second)
    return whole + ticks / per_second


def shared_unit(observed: pd.Series, dtype: Any) -> str:
    """Return the coarsest unit of which viewed dates, in wall time, are multiples.

    Without any cell it is the finest that `dtype`, from which they come, can hold.
    """
    if not len(observed):
        return clock_of(dtype).resolution
    clock = clock_of(observed.dtype)
    wall = observed if clock.zone is None else observed.dt.tz_localize(None)
    common = int(np.gcd.reduce(wall.to_numpy().view(np.int64)))
    tick = _NANOSECONDS[clock.resolution]
    return next(
        unit
        for unit, size in _NANOSECONDS.items()
        if size >= tick and common % (size // tick) == 0
    )


def moments(values: np.ndarray, unit: str, dtype: Any) -> Any:
    """Return dates or durations, rounded to a unit, as cells of a dtype.

    Parameters
    ----------
    values : array of shape (n,)
        Seconds. Dates before the year 1 or after 9999, or out of the range of the
        dtype, become the first or last that it has.
    unit : str
        One of "D", "h", "min", "s", "ms", "us" and "ns".
    dtype : dtype of dates or durations

    Returns
    -------
    array, DatetimeIndex or Arrow array of shape (n,)
    """
    clock = clock_of(dtype)
    resolution = "s" if clock.resolution == "D" else clock.resolution
    per_second = 10**9 // _NANOSECONDS[resolution]
    low, high = _limits(clock, per_second)
    fraction, whole = np.modf(np.clip(values, low, high))
    ticks = np.rint(fraction * per_second)
    ticks = whole.astype(np.int64) * per_second + ticks.astype(np.int64)
    coarser = max(_NANOSECONDS[unit], _NANOSECONDS[clock.resolution])
    steps = coarser // _NANOSECONDS[resolution], low * per_second, high * per_second
    code = f"{'m' if clock.measure == 'durations' else 'M'}8[{resolution}]"
    if clock.zone is None:
        ticks = _rounded(ticks, *steps)
    else:
        instants = pd.DatetimeIndex(ticks.view(code)).tz_localize("UTC")
        instants = _rounded_in_zone(instants.tz_convert(clock.zone), steps)
        if not isinstance(dtype, pd.ArrowDtype):
            return instants
        ticks = instants.tz_convert(None).to_numpy().view(np.int64)
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow_moments(ticks, dtype.pyarrow_dtype)
    return ticks.view(code)


def _limits(clock: Clock, per_second: int) -> tuple[int, int]:
    """Return the first and last second that a clock counts."""
    furthest = min((2**63 - 1) // per_second, 2**53)  # of int64, and of float64
    if clock.measure == "durations":
        return -furthest, furthest
    if clock.zone is None:
        return max(_FIRST, -furthest), min(_LAST, furthest)
    # As far from the ends as wall time may be from UTC: zones are UTC-12 to UTC+14.
    furthest -= _DAY
    return max(_FIRST + 2 * _DAY, -furthest), min(_LAST - 14 * 3_600, furthest)


def _rounded(ticks: np.ndarray, step: int, low: int, high: int) -> np.ndarray:
    count, rest = np.divmod(ticks, step)
    count += 2 * rest >= step
    return np.clip(count, -(-low // step), high // step) * step


def _rounded_in_zone(
    instants: pd.DatetimeIndex, steps: tuple[int, int, int]
) -> pd.DatetimeIndex:
    """Round in wall time, so that midnights stay midnights on days of 23 hours."""

    def in_zone(wall: pd.DatetimeIndex, is_first: np.ndarray) -> pd.DatetimeIndex:
        settled = {"ambiguous": is_first, "nonexistent": "shift_forward"}
        return wall.tz_localize(instants.tz, **settled)

    wall = instants.tz_localize(None)
    # Of a wall time that clocks show twice, keep the one that it was.
    is_first = in_zone(wall, np.ones(len(wall), dtype=bool)) == instants
    ticks = _rounded(wall.to_numpy().view(np.int64), *steps)
    return in_zone(pd.DatetimeIndex(ticks.view(wall.dtype)), is_first)


def _arrow_moments(ticks: np.ndarray, kind: Any) -> Any:
    import pyarrow as pa

    if not pa.types.is_date(kind):
        return pa.array(ticks).cast(kind)
    days = pa.array((ticks // _DAY).astype(np.int32))
    return days.cast(pa.date32()).cast(kind)


def python_value(value: Any) -> Any:
    """Return a scalar of NumPy as one of Python, and others as they are."""
    return value.item() if isinstance(value, np.generic) else value


def infinity(label: str) -> ValueError:
    """Return the error for infinite cells."""
    return ValueError(f"{label}: got infinity, expected finite numbers or missing")


def label_of(name: Hashable) -> str:
    """Return what messages call a column, such as ``Column 'age'``."""
    return f"Column {name!r}"
