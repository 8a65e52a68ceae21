"""One column of a table: what it is, and how its cells are read and written.

`Column.infer` learns what a column is, `Column.read` turns its cells into float64
numbers, seconds or level codes, and `Column.write` puts such values back into the cells
that were missing and leaves every other cell, the dtype and the index as they were.
Cells are a pandas Series of any supported dtype; `_tables` knows the containers.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from vaeimpute import _dtypes
from vaeimpute._levels import Level, distinct, in_order, is_free_text, sorts_of

#: What messages call the contents of numeric columns.
_CONTENTS = {
    "numbers": "numbers",
    "dates": "dates without a time zone",
    "zoned dates": "dates with a time zone",
    "durations": "durations",
}

#: How wall times that clocks show twice, or never, become moments.
_SETTLED = {"ambiguous": True, "nonexistent": "shift_forward"}


@dataclass(frozen=True)
class Column:
    """What one column held at fit.

    Parameters
    ----------
    name : hashable
        Label in the frame; position for an array.
    kind : {"numeric", "nominal", "text"}
        Booleans are nominal with the levels ``(False, True)``. Dates and durations are
        numeric. "text" is free text, which is passed through untouched.
    dtype : str
        Dtype at fit, as text.
    levels : tuple or None
        Levels in code order; None unless nominal. A category keeps its declared levels
        and their order, other levels are sorted, or in order of appearance where they
        cannot be compared.
    is_integer : bool
        Whether the dtype (for an object column: every cell) is an integer, or the
        column was declared to be discrete, so that filled numbers are rounded.
    levels_dtype : str or None
        Dtype of the levels of a category, as text; None for other columns.
    ordered : bool
        Whether the column is an ordered category.
    unit : {"D", "h", "min", "s", "ms", "us", "ns"} or None
        For dates and durations the coarsest unit of which every observed cell is a
        multiple, dates in wall time, so that filled ones are rounded to it.
    """

    name: Hashable
    kind: str
    dtype: str
    levels: tuple[Level, ...] | None = None
    is_integer: bool = False
    levels_dtype: str | None = None
    ordered: bool = False
    unit: str | None = None

    @classmethod
    def infer(
        cls,
        cells: pd.Series,
        name: Hashable,
        *,
        is_nominal: bool = False,
        is_discrete: bool = False,
        sentinel: float | str | None = None,
        text_features: str = "error",
    ) -> Column:
        """Learn what a column is.

        Parameters
        ----------
        cells : Series
            The column.
        name : hashable
            Its name.
        is_nominal, is_discrete : bool, default=False
            Whether `categorical_features` or `discrete_features` lists it.
        sentinel : number, str or None, default=None
            A further value that counts as missing.
        text_features : {"error", "passthrough"}, default="error"
            What to do with free text.

        Raises
        ------
        ValueError
            If the dtype is not supported, the column cannot be what it is listed as,
            or it is free text.
        TypeError
            If a cell is neither text nor a number.
        """
        view = _dtypes.view(cells, _dtypes.label_of(name))
        is_plain = view.dtype.kind in "biuf" and not (is_nominal or is_discrete)
        observed = view if is_plain else view[~_missing(view, sentinel)]
        content = _dtypes.content_of(observed)
        column = cls(name, "nominal", _dtypes.text_of(cells.dtype))
        if _dtypes.clock_of(view.dtype) is not None:
            unit = _dtypes.shared_unit(observed, cells.dtype)
            column = replace(column, kind="numeric", unit=unit)
        elif content == "category":
            column = column._with_categories(view.dtype, cells.dtype, sentinel)
        elif content == "booleans":
            column = replace(column, levels=(False, True))
        elif content == "text" and not is_nominal:
            column = column._with_text(observed, text_features)
        else:
            whole = content == "integers" or _dtypes.scale_of(cells.dtype) == 0
            column = replace(column, is_integer=whole)
            if is_nominal:
                levels = in_order(distinct(observed, column.label)[1])
                column = replace(column, levels=levels)
            else:
                column = replace(column, kind="numeric")
        return column._as_listed(is_nominal, is_discrete, observed)

    def _with_categories(
        self, view: pd.CategoricalDtype, dtype: Any, sentinel: float | str | None
    ) -> Column:
        known = [_dtypes.python_value(x) for x in view.categories.tolist()]
        # A dictionary of Arrow is no pandas category: its own dtype says it all.
        is_category = isinstance(dtype, pd.CategoricalDtype)
        levels_dtype = _dtypes.text_of(view.categories.dtype) if is_category else None
        return replace(
            self,
            levels=tuple(x for x in known if not _same(x, sentinel)),
            levels_dtype=levels_dtype,
            ordered=bool(view.ordered),
        )

    def _with_text(self, observed: pd.Series, text_features: str) -> Column:
        position, levels = distinct(observed, self.label)
        if not is_free_text(position, levels):
            return replace(self, levels=in_order(levels))
        if text_features == "passthrough":
            return replace(self, kind="text")
        raise ValueError(
            f"{self.label}: got {len(levels)} different texts in {len(position)} "
            "observed cells, expected levels that recur; drop the column, pass it "
            'through untouched by text_features="passthrough", or list it in '
            "categorical_features"
        )

    def _as_listed(
        self, is_nominal: bool, is_discrete: bool, observed: pd.Series
    ) -> Column:
        """Return the column, discrete if it is listed so, or say why it cannot be."""
        if self.unit is not None and (is_nominal or is_discrete):
            listed = "categorical_features" if is_nominal else "discrete_features"
            raise ValueError(
                f"{listed}: got {self.name!r}, a column of {self.measure}, expected "
                "columns of numbers; convert it with astype('category') if it is "
                "nominal"
            )
        if not is_discrete:
            return self
        if self.kind != "numeric":
            raise ValueError(
                f"discrete_features: got {self.name!r}, a {self.kind} column, expected "
                "numeric columns"
            )
        values = observed.to_numpy(dtype=np.float64)
        broken = values[values != np.rint(values)]
        if len(broken):
            raise ValueError(
                f"{self.label}: got {broken[0]:g}, expected whole numbers in a column "
                "that discrete_features lists"
            )
        return replace(self, is_integer=True)

    @property
    def label(self) -> str:
        """Name for messages, such as ``Column 'age'``."""
        return _dtypes.label_of(self.name)

    @property
    def pandas_dtype(self) -> Any:
        """The dtype at fit as an object that pandas understands."""
        if self.levels_dtype is None:
            return _dtypes.parsed(self.dtype)
        levels = pd.Index(list(self.levels), dtype=_dtypes.parsed(self.levels_dtype))
        return pd.CategoricalDtype(levels, ordered=self.ordered)

    @property
    def measure(self) -> str:
        """What values measure: numbers, dates, zoned dates or durations."""
        if self.unit is None:
            return "numbers"
        if self.dtype.startswith(("timedelta", "duration")):
            return "durations"
        return "zoned dates" if "," in self.dtype else "dates"

    @property
    def holds_only_numbers(self) -> bool:
        """Whether an array of numbers has room for every cell."""
        if self.kind == "nominal":
            return sorts_of(self.levels) <= {"number"}
        return self.kind == "numeric" and self.unit is None

    def read(
        self, cells: pd.Series, sentinel: float | str | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of cells and where they are missing.

        Parameters
        ----------
        cells : Series of shape (n_rows,)
            Cells of the fitted kind, in any dtype.
        sentinel : number, str or None
            A further value that counts as missing.

        Returns
        -------
        values : array of shape (n_rows,), float64
            Numbers, seconds (of dates since 1970-01-01 UTC, or as if UTC where they
            have no time zone) or level codes. NaN where missing, where the level was
            not seen at fit, and for free text.
        missing : array of shape (n_rows,), bool
        """
        cells = _dtypes.view(cells, self.label)
        missing = _missing(cells, sentinel)
        values = np.full(len(cells), np.nan)
        if self.kind != "text":
            encode = self._codes if self.kind == "nominal" else self._numbers
            values[~missing] = encode(cells[~missing])
        return values, missing

    def _numbers(self, observed: pd.Series) -> np.ndarray:
        if not len(observed):
            return np.empty(0)
        content = _dtypes.content_of(observed)
        got = "numbers" if content in ("integers", "booleans") else content
        if got != self.measure:
            raise self._changed(_CONTENTS[self.measure], observed)
        if self.unit is not None:
            return _dtypes.seconds(observed)
        return observed.to_numpy(dtype=np.float64)

    def _codes(self, observed: pd.Series) -> np.ndarray:
        position, found = distinct(observed, self.label)
        # Text where numbers were, or numbers where text was (as CSV readers guess for
        # each chunk anew), is a changed column, not a column of unseen levels.
        fitted = sorts_of(self.levels)
        if found and fitted and fitted.isdisjoint(sorts_of(found)):
            raise self._changed(f"levels such as {self.levels[0]!r}", observed)
        code = {level: code for code, level in enumerate(self.levels)}
        return np.array([code.get(level, np.nan) for level in found], float)[position]

    def _changed(self, expected: str, observed: pd.Series) -> ValueError:
        return ValueError(
            f"{self.label}: got {_dtypes.python_value(observed.iloc[0])!r} of dtype "
            f"{observed.dtype}, expected {expected} as at fit (dtype {self.dtype})"
        )

    def write(
        self, cells: pd.Series, filled: np.ndarray, values: np.ndarray
    ) -> pd.Series:
        """Return cells of which some are filled.

        Parameters
        ----------
        cells : Series of shape (n_rows,)
            Cells that `read` accepts; they are not changed.
        filled : array of shape (n_rows,), bool
            The cells to fill.
        values : array of shape (n_filled,)
            Finite numbers, seconds or codes.

        Returns
        -------
        Series of shape (n_rows,)
            Of the dtype of `cells`, unless that cannot hold what is filled in.
        """
        if self.kind == "text":
            return cells
        if _dtypes.measure_of(cells.dtype) != self.measure:
            # None of them is observed, or `read` would have raised.
            cells = self.blank(cells.index, may_stay=True)
        if _dtypes.is_dictionary(cells.dtype):
            coded = self.write(_dtypes.view(cells, self.label), filled, values)
            return _dtypes.dictionary(coded, cells.dtype).set_axis(cells.index)
        array = cells.array.copy()
        new = self.decode(values, cells.dtype)
        try:
            array[filled] = new
        except (TypeError, ValueError):  # a level that this dtype cannot hold
            return self.write(self._widened(cells, new), filled, values)
        # With its dtype and index, or pandas would infer and align anew.
        return pd.Series(array, index=cells.index, dtype=cells.dtype, copy=False)

    def _widened(self, cells: pd.Series, new: np.ndarray) -> pd.Series:
        if self.kind == "numeric" or not isinstance(cells.dtype, pd.CategoricalDtype):
            return cells.astype(object)
        needed = set(new).difference(cells.cat.categories)
        return cells.cat.add_categories([x for x in self.levels if x in needed])

    def blank(self, rows: pd.Index, *, may_stay: bool) -> pd.Series:
        """Return blank cells of the dtype at fit, to be written on.

        Integers and booleans of NumPy, which cannot be missing, are 0; or they become
        floats and objects if a cell `may_stay` blank.
        """
        dtype = self.pandas_dtype
        if isinstance(dtype, np.dtype) and dtype.kind in "iub" and not may_stay:
            return pd.Series(0, index=rows, dtype=dtype)
        empty = pd.Series([], dtype=dtype)
        return empty.reindex(range(len(rows))).set_axis(rows)

    def decode(self, values: np.ndarray, dtype: Any) -> Any:
        """Return levels, or numbers or moments that a dtype can hold.

        Parameters
        ----------
        values : array of shape (n,)
            Finite numbers, seconds or codes.
        dtype : dtype of NumPy or pandas

        Returns
        -------
        array of shape (n,)
        """
        if self.unit is not None:
            return _dtypes.moments(values, self.unit, dtype)
        is_decimal = _dtypes.scale_of(dtype) is not None
        held = np.dtype(float) if is_decimal else getattr(dtype, "numpy_dtype", dtype)
        if self.kind == "nominal":
            cells = self._levels_in(held)[values.astype(np.intp)]
        else:
            cells = self._numbers_in(held, values)
        return _dtypes.decimals(cells, dtype) if is_decimal else cells

    def _numbers_in(self, dtype: Any, values: np.ndarray) -> np.ndarray:
        if self.is_integer:
            values = np.rint(values) + 0.0  # + 0.0 turns -0.0 into 0.0
        if dtype.kind in "iufb":
            return _dtypes.clipped(values, dtype)
        held = np.dtype(np.int64 if self.is_integer else np.float64)
        return _dtypes.clipped(values, held).astype(object)

    def _levels_in(self, dtype: Any) -> np.ndarray:
        """Return the levels in the dtype, else as objects."""
        if dtype.kind in "iuf" and self.holds_only_numbers:
            levels = np.array(self.levels) + 0  # booleans become 0 and 1
            held = levels.astype(dtype)
            if dtype.kind == "f" or np.array_equal(held, levels):
                return held
        return np.fromiter(self.levels, dtype=object, count=len(self.levels))

    def bound(self, given: Any, parameter: str, default: float) -> float:
        """Turn a bound of filled cells into a value.

        Parameters
        ----------
        given : number, or for dates and durations what pandas reads as such
            None, NaN and NaT mean `default`. A date without a time zone is wall time
            in the zone of the column.
        parameter : str
            Name of the parameter for messages.
        default : float
            Negative for a lower bound. Bounds of dates and durations are rounded to
            their unit, lower ones up and upper ones down.

        Returns
        -------
        bound : float
            In seconds for dates and durations.

        Raises
        ------
        ValueError
            If the bound is not of the kind of the column.
        """
        if types.is_scalar(given) and pd.isna(given):
            return default
        try:
            if self.unit is None:
                return float(_checked(given, not isinstance(given, str)))
            moment = self._moment(given)
            if pd.isna(moment):
                return default
            inward = moment.ceil if default < 0 else moment.floor
            if self.measure == "durations":
                return inward(self.unit).total_seconds()
            return inward(self.unit, **_SETTLED).timestamp()
        except (TypeError, ValueError, OverflowError) as error:
            one = {"numbers": "a number", "durations": "a duration"}
            one |= {"dates": "a date without a time zone", "zoned dates": "a date"}
            raise ValueError(
                f"{parameter}: got {given!r} for column {self.name!r}, "
                f"expected {one[self.measure]}"
            ) from error

    def _moment(self, given: Any) -> Any:
        """Return a Timestamp in the column's zone, or a Timedelta."""
        # To NumPy, a duration is an integer.
        is_number = isinstance(given, numbers.Real)
        _checked(given, not is_number or isinstance(given, np.timedelta64))
        if self.measure == "durations":
            return pd.Timedelta(given)
        moment = pd.Timestamp(given)
        zone = _dtypes.clock_of(self.pandas_dtype).zone
        if pd.isna(moment) or moment.tzinfo is None:
            return moment if zone is None else moment.tz_localize(zone, **_SETTLED)
        return _checked(moment, zone is not None).tz_convert(zone)


def _checked(given: Any, is_good: bool) -> Any:
    if not is_good:
        raise TypeError(given)
    return given


def _missing(cells: pd.Series, sentinel: float | str | None) -> np.ndarray:
    missing = _dtypes.missing_in(cells)
    if sentinel is None or cells.dtype.kind in "mM":
        return missing
    position, found = pd.factorize(cells)
    is_sentinel = [_same(level, sentinel) for level in found.tolist()]
    return missing | np.array([*is_sentinel, False])[position]  # position -1: missing


def _same(level: Level, sentinel: float | str | None) -> bool:
    # True == 1, yet a sentinel of 1 does not make True missing.
    return not isinstance(level, (bool, np.bool_)) and bool(level == sentinel)
