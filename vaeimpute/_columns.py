"""Read a table of any dtypes into one float64 matrix, and write cells back.

This is the only module that knows containers and dtypes. `TableSchema.infer` learns
what each column is, `TableSchema.read` turns a table into numbers and level codes, and
`TableSchema.write` puts numbers and codes back into the cells that were missing and
leaves every other cell, the dtypes, the index and the labels as they were.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

Table = pd.DataFrame | np.ndarray
Level = Any  # str, int, float or bool; for a category whatever its categories are

_CONTENT = {"b": "booleans", "i": "integers", "u": "integers", "f": "numbers"}


@dataclass(frozen=True)
class Column:
    """What one column held at fit.

    Parameters
    ----------
    name : hashable
        Label in the frame; position for an array.
    kind : {"numeric", "nominal"}
        Booleans are nominal with the levels ``(False, True)``.
    dtype : str
        Dtype at fit, as text.
    levels : tuple or None
        Levels in code order; None for a numeric column. A category keeps its declared
        levels and their order, other levels are sorted, or in order of appearance where
        they cannot be compared.
    is_integer : bool
        Whether the dtype (for an object column: every cell) is an integer, so that
        filled numbers are rounded.
    levels_dtype : str or None
        Dtype of the levels of a category, as text; None for other columns.
    ordered : bool
        Whether the column is an ordered category.
    """

    name: Hashable
    kind: str
    dtype: str
    levels: tuple[Level, ...] | None = None
    is_integer: bool = False
    levels_dtype: str | None = None
    ordered: bool = False

    @property
    def label(self) -> str:
        """Name for messages, such as ``Column 'age'``."""
        return _label(self.name)

    @property
    def pandas_dtype(self) -> Any:
        """The dtype at fit as an object that pandas understands."""
        if self.levels_dtype is None:
            return types.pandas_dtype(self.dtype)
        levels = pd.Index(list(self.levels), dtype=self.levels_dtype)
        return pd.CategoricalDtype(levels, ordered=self.ordered)

    def read(
        self, cells: pd.Series, sentinel: float | str | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (numbers or codes) and where cells are missing."""
        _check_cells(cells, self.label)
        missing = _missing(cells, sentinel)
        encode = self._codes if self.kind == "nominal" else self._numbers
        values = np.full(len(cells), np.nan)
        values[~missing] = encode(cells[~missing])
        return values, missing

    def _numbers(self, observed: pd.Series) -> np.ndarray:
        if len(observed) and _content(observed) in ("category", "text"):
            raise self._changed("numbers", observed)
        return observed.to_numpy(dtype=np.float64)

    def _codes(self, observed: pd.Series) -> np.ndarray:
        position, found = _distinct(observed, self.label)
        # Text where numbers were, or numbers where text was (as CSV readers guess for
        # each chunk anew), is a changed column, not a column of unseen levels.
        fitted = _has_text(self.levels)
        if found and fitted and fitted.isdisjoint(_has_text(found)):
            raise self._changed(f"levels such as {self.levels[0]!r}", observed)
        code = {level: code for code, level in enumerate(self.levels)}
        return np.array([code.get(level, np.nan) for level in found], float)[position]

    def _changed(self, expected: str, observed: pd.Series) -> ValueError:
        return ValueError(
            f"{self.label}: got {_python(observed.iloc[0])!r} of dtype "
            f"{observed.dtype}, expected {expected} as at fit (dtype {self.dtype})"
        )

    def write(
        self, cells: pd.Series, filled: np.ndarray, values: np.ndarray
    ) -> pd.Series:
        """Return `cells` with the `filled` ones, a boolean array, set to `values`."""
        array = cells.array.copy()
        new = self.decode(values, getattr(cells.dtype, "numpy_dtype", cells.dtype))
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

    def decode(self, values: np.ndarray, dtype: Any) -> np.ndarray:
        """Turn values into cells of `dtype`: levels, or numbers that it can hold."""
        if self.kind == "nominal":
            levels = np.fromiter(self.levels, dtype=object, count=len(self.levels))
            if dtype.kind in "iuf" and True not in _has_text(self.levels):
                levels = np.array(self.levels) + 0  # booleans become 0 and 1
                held = levels.astype(dtype)
                if dtype.kind == "f" or np.array_equal(held, levels):
                    levels = held
            return levels[values.astype(np.intp)]
        if dtype.kind not in "iufb":
            held = np.dtype(np.int64 if self.is_integer else np.float64)
            return self._clipped(values, held).astype(object)
        return self._clipped(values, dtype)

    def _clipped(self, values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        if self.is_integer or dtype.kind in "iub":
            values = np.rint(values) + 0.0  # + 0.0 turns -0.0 into 0.0
        return np.clip(values, *_range(dtype)).astype(dtype)


@dataclass(frozen=True)
class TableSchema:
    """What the columns of a table are; reads and writes tables of that shape.

    Parameters
    ----------
    columns : tuple of Column
        One per column, in order.
    is_frame : bool
        Whether the table at fit was a DataFrame.
    sentinel : number, str or None
        A further value that counts as missing, besides NaN, None, ``pd.NA`` and NaT.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> X = pd.DataFrame({"age": [31.0, None, 45.0], "city": ["Oslo", "Rome", None]})
    >>> schema = TableSchema.infer(X)
    >>> values, missing = schema.read(X)
    >>> values
    array([[31.,  0.],
           [nan,  1.],
           [45., nan]])
    >>> schema.write(X, np.where(missing, 0.0, values), missing)
        age  city
    0  31.0  Oslo
    1   0.0  Rome
    2  45.0  Oslo
    """

    columns: tuple[Column, ...]
    is_frame: bool
    sentinel: float | str | None = None

    @classmethod
    def infer(
        cls,
        X: Table,
        *,
        categorical_features: str | Sequence[Any] | None = "from_dtype",
        missing_values: Any = np.nan,
    ) -> TableSchema:
        """Learn what the columns of a table are.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Numbers, booleans, text and categories. An object column is text (nominal)
            if any cell is a string, boolean if all cells are, else numeric: True and
            False among numbers count as 1 and 0. Levels that are equal in Python, as
            ``1``, ``1.0`` and ``True``, are one level: the one that comes first.
        categorical_features : "from_dtype", array-like or None, default="from_dtype"
            Further nominal columns, besides categories, text and booleans: names, int
            positions, or booleans of shape (n_columns,). "from_dtype" and None: none.
        missing_values : number, str or missing value, default=np.nan
            A further value that counts as missing.

        Returns
        -------
        TableSchema
            The schema of `X`.

        Raises
        ------
        ValueError
            If labels repeat, a dtype is not supported, or an entry of
            `categorical_features` is not a column.
        TypeError
            If labels mix strings with others, or a cell is neither text nor a number.
        """
        X = _as_table(X)
        names = _names(X)
        sentinel = _checked_sentinel(missing_values)
        listed = _listed(categorical_features, names)
        columns = tuple(
            _infer_column(cells, names[j], j in listed, sentinel)
            for j, cells in enumerate(_each_column(X))
        )
        return cls(columns, isinstance(X, pd.DataFrame), sentinel)

    def read(self, X: Table) -> tuple[np.ndarray, np.ndarray]:
        """Turn a table into values.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Columns of the fitted kinds, in any dtype.

        Returns
        -------
        values : array of shape (n_rows, n_columns), float64
            The number or the code of the level; NaN where the cell is missing or its
            level was not seen at fit.
        missing : array of shape (n_rows, n_columns), bool
            Where the cell is missing; False for a level not seen at fit.

        Raises
        ------
        ValueError
            If the columns, or the kind of a column, differ from fit, or on infinity.
        TypeError
            If a cell is neither text nor a number.
        """
        X = _as_table(X)
        self._check_columns(X)
        values = np.empty(X.shape)
        if self._is_plain(X):
            values[...] = X
            missing = np.isnan(values)
            if isinstance(self.sentinel, numbers.Real):
                missing |= values == self.sentinel
                values[missing] = np.nan
        else:
            missing = np.empty(X.shape, dtype=bool)
            for j, cells in enumerate(_each_column(X)):
                values[:, j], missing[:, j] = self.columns[j].read(cells, self.sentinel)
        for j in np.flatnonzero(np.isinf(values).any(axis=0)):
            raise _infinity(self.columns[j].label)
        return values, missing

    def write(self, X: Table, values: np.ndarray, missing: np.ndarray) -> Table:
        """Return a copy of a table in which the missing cells are filled.

        A level that the column cannot hold widens its dtype: a category gains the
        level, other dtypes become object.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            The table; it is not changed.
        values : array of shape (n_rows, n_columns)
            Numbers and codes, as from `read`; NaN leaves the cell missing.
        missing : array of shape (n_rows, n_columns), bool
            The cells to fill.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            A frame like `X`, or an array: of the float dtype of `X`, of float64 for
            integers and for objects that are numbers, else of object.
        """
        X = _as_table(X)
        filled = missing & ~np.isnan(values)
        changed = np.flatnonzero(filled.any(axis=0))
        if isinstance(X, pd.DataFrame):
            out = X.copy()
            for j in changed:
                at = filled[:, j]
                new = self.columns[j].write(X.iloc[:, j], at, values[at, j])
                out.isetitem(j, new)
            return out
        dtype = self._array_dtype(X)
        from_objects = X.dtype.kind == "O" and dtype.kind != "O"
        out = self.read(X)[0] if from_objects else X.astype(dtype)
        for j in changed:
            at = filled[:, j]
            out[at, j] = self.columns[j].decode(values[at, j], dtype)
        return out

    def build(self, values: np.ndarray) -> Table:
        """Make a table of the fitted dtypes from values alone.

        Parameters
        ----------
        values : array of shape (n_rows, n_columns)
            Numbers and codes; NaN makes a missing cell.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            In the container of the fitted table, a frame with a fresh index.
        """
        everywhere = np.ones(values.shape, dtype=bool)
        if not self.is_frame:
            dtype = self.columns[0].pandas_dtype if self.columns else np.dtype(float)
            like = np.empty((0, len(self.columns)), dtype=dtype)
            blank = np.full(values.shape, np.nan, dtype=self._array_dtype(like))
            return self.write(blank, values, everywhere)
        rows = pd.RangeIndex(len(values))
        cells = [_blank(column.pandas_dtype, rows) for column in self.columns]
        blank = pd.DataFrame(dict(enumerate(cells)), index=rows)
        blank.columns = pd.Index([column.name for column in self.columns])
        return self.write(blank, values, everywhere)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as values that JSON can hold."""
        for column in self.columns:
            for level in column.levels or ():
                if not isinstance(level, (str, int, float)):
                    raise TypeError(
                        f"{column.label}: got a level of type {type(level).__name__}, "
                        "expected text, numbers or booleans in a schema to be saved"
                    )
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> TableSchema:
        """Make the schema that `to_dict` described."""
        columns = []
        for column in saved["columns"]:
            # JSON makes lists of tuples: the levels, and the labels of a MultiIndex.
            tuples = {k: tuple(v) for k, v in column.items() if isinstance(v, list)}
            columns.append(Column(**{**column, **tuples}))
        return cls(tuple(columns), saved["is_frame"], saved["sentinel"])

    def _check_columns(self, X: Table) -> None:
        expected = [column.name for column in self.columns]
        if X.shape[1] != len(expected):
            raise ValueError(f"X: got {X.shape[1]} columns, expected {len(expected)}")
        if not (isinstance(X, pd.DataFrame) and self.is_frame):
            return
        got = list(X.columns)
        if all(isinstance(x, str) for x in (*got, *expected)) and got != expected:
            raise ValueError(f"X: got columns {got}, expected {expected} as at fit")

    def _is_plain(self, X: Table) -> bool:
        """Say whether one cast to float64 reads the whole table."""
        dtypes = X.dtypes if isinstance(X, pd.DataFrame) else [X.dtype]
        return all(isinstance(x, np.dtype) and x.kind in "iuf" for x in dtypes) and all(
            column.kind == "numeric" for column in self.columns
        )

    def _array_dtype(self, X: np.ndarray) -> np.dtype:
        """Return the dtype of the array that holds X and every level."""
        nominal = [column for column in self.columns if column.kind == "nominal"]
        holds_text = any(True in _has_text(column.levels) for column in nominal)
        if holds_text or (nominal and X.dtype.kind == "O"):
            return np.dtype(object)
        return X.dtype if X.dtype.kind in "fb" else np.dtype(np.float64)


def _as_table(X: Any) -> Table:
    if isinstance(X, pd.DataFrame):
        return X
    # Lists become objects, or NumPy would turn the numbers beside a string into text.
    array = np.asarray(X) if hasattr(X, "__array__") else np.asarray(X, dtype=object)
    if array.ndim != 2:
        raise ValueError(f"X: got {array.ndim} dimensions, expected a table of 2")
    return array.astype(object) if array.dtype.kind == "U" else array


def _each_column(X: Table) -> Iterator[pd.Series]:
    for j in range(X.shape[1]):
        if isinstance(X, pd.DataFrame):
            yield X.iloc[:, j]
        elif X.dtype.kind in "biufO":
            yield pd.Series(X[:, j], dtype=X.dtype, copy=False)
        else:
            raise _unsupported(_label(j), X.dtype)


def _names(X: Table) -> tuple[Hashable, ...]:
    if not isinstance(X, pd.DataFrame):
        return tuple(range(X.shape[1]))
    repeated = X.columns[X.columns.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"X: got repeated column names {repeated}, expected unique")
    names = tuple(_python(name) for name in X.columns)
    kinds = sorted({type(name).__name__ for name in names})
    if "str" in kinds and len(kinds) > 1:
        raise TypeError(
            "Feature names are only supported if all input features have string names: "
            f"got names of types {kinds}; convert them with "
            "X.columns = X.columns.astype(str)"
        )
    return names


def _listed(given: Any, names: tuple[Hashable, ...]) -> set[int]:
    """Return the positions of the columns that `categorical_features` names."""
    if given is None or (isinstance(given, str) and given == "from_dtype"):
        return set()
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(
            f"categorical_features: got {given!r}, expected 'from_dtype', None, or an "
            "array-like of names, positions or booleans"
        )
    entries = [_python(entry) for entry in given]
    if not entries or not all(isinstance(entry, bool) for entry in entries):
        return {_position(entry, names) for entry in entries}
    if len(entries) != len(names):
        raise ValueError(
            f"categorical_features: got {len(entries)} booleans, expected one for "
            f"each of the {len(names)} columns"
        )
    return set(np.flatnonzero(entries).tolist())


def _position(entry: Any, names: tuple[Hashable, ...]) -> int:
    if type(entry) is int and 0 <= entry < len(names):
        return entry
    if isinstance(entry, (str, tuple)) and entry in names:
        return names.index(entry)
    raise ValueError(
        f"categorical_features: got {entry!r}, expected the name of a column or a "
        f"position from 0 to {len(names) - 1}"
    )


def _checked_sentinel(missing_values: Any) -> float | str | None:
    value = _python(missing_values)
    if types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, (str, numbers.Real)) and not isinstance(value, bool):
        return value
    raise ValueError(
        f"missing_values: got {missing_values!r}, expected a number, a string or NaN"
    )


def _infer_column(
    cells: pd.Series, name: Hashable, is_listed: bool, sentinel: float | str | None
) -> Column:
    label = _label(name)
    _check_cells(cells, label)
    dtype = cells.dtype
    is_known = dtype.kind in "biuf" and not is_listed
    observed = cells if is_known else cells[~_missing(cells, sentinel)]
    content = _content(observed)
    column = Column(name, "nominal", _text(dtype))
    if content == "category":
        known = [_python(x) for x in dtype.categories.tolist()]
        return replace(
            column,
            levels=tuple(x for x in known if not _same(x, sentinel)),
            levels_dtype=_text(dtype.categories.dtype),
            ordered=dtype.ordered,
        )
    if content == "booleans":
        return replace(column, levels=(False, True))
    column = replace(column, is_integer=content == "integers")
    if content != "text" and not is_listed:
        return replace(column, kind="numeric")
    return replace(column, levels=_sorted(_distinct(observed, label)[1]))


def _check_cells(cells: pd.Series, label: str) -> None:
    """Raise unless the dtype, and the cells of an object column, are supported."""
    dtype = cells.dtype
    if types.is_object_dtype(dtype):
        for cell_type in set(map(type, cells[cells.notna()])):
            if not issubclass(cell_type, (str, np.bool_, numbers.Real)):
                raise TypeError(
                    f"{label}: argument must be a string or a real number, "
                    f"got a cell of type {cell_type.__name__!r}"
                )
    elif isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)):
        pass
    elif isinstance(dtype, pd.SparseDtype) or dtype.kind not in "biufU":
        raise _unsupported(label, dtype)


def _content(observed: pd.Series) -> str:
    """Say what cells hold: a category, text, booleans, integers or numbers."""
    dtype = observed.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if not types.is_object_dtype(dtype):
        return _CONTENT.get(dtype.kind, "text")
    found = set(map(type, observed))
    if any(issubclass(x, str) for x in found):
        return "text"
    if found and found <= {bool, np.bool_}:
        return "booleans"
    is_integer = found and all(issubclass(x, numbers.Integral) for x in found)
    return "integers" if is_integer else "numbers"


def _missing(cells: pd.Series, sentinel: float | str | None) -> np.ndarray:
    if cells.dtype.kind == "f":  # a nullable float can hold NaN beside NA
        missing = np.isnan(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    else:
        missing = cells.isna().to_numpy(dtype=bool)
    if sentinel is None:
        return missing
    position, found = pd.factorize(cells)
    is_sentinel = [_same(level, sentinel) for level in found.tolist()]
    return missing | np.array([*is_sentinel, False])[position]  # position -1: missing


def _same(level: Level, sentinel: float | str | None) -> bool:
    # True == 1, yet a sentinel of 1 does not make True missing.
    return not isinstance(level, (bool, np.bool_)) and bool(level == sentinel)


def _distinct(observed: pd.Series, label: str) -> tuple[np.ndarray, list[Level]]:
    """Return for each cell the position of its level, and the levels found."""
    position, found = pd.factorize(observed)
    levels = [_python(level) for level in found.tolist()]
    if any(isinstance(level, float) and np.isinf(level) for level in levels):
        raise _infinity(label)
    return position, levels


def _sorted(levels: Sequence[Level]) -> tuple[Level, ...]:
    try:
        return tuple(sorted(levels))
    except TypeError:  # text and numbers do not compare
        return tuple(levels)


def _has_text(levels: Sequence[Level]) -> set[bool]:
    return {isinstance(level, str) for level in levels}


def _range(dtype: np.dtype) -> tuple[float, float]:
    """Return the smallest and largest float64 that a dtype can hold."""
    if dtype.kind == "b":
        return 0.0, 1.0
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    high = float(info.max)
    # 2**63 - 1 has no float64: the nearest one, 2**63, is already out of range.
    return float(info.min), np.nextafter(high, 0) if high > info.max else high


def _blank(dtype: Any, rows: pd.Index) -> pd.Series:
    cannot_miss = isinstance(dtype, np.dtype) and dtype.kind in "iub"
    return pd.Series(0 if cannot_miss else None, index=rows, dtype=dtype)


def _text(dtype: Any) -> str:
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is pd.NA:
        return f"string[{dtype.storage}]"
    return str(dtype)


def _label(name: Hashable) -> str:
    return f"Column {name!r}"


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _infinity(label: str) -> ValueError:
    return ValueError(f"{label}: got infinity, expected finite numbers or missing")


def _unsupported(label: str, dtype: Any) -> ValueError:
    note = " (Complex data not supported)" if dtype.kind == "c" else ""
    return ValueError(
        f"{label}: got dtype {dtype}{note}, "
        "expected numbers, booleans, text or a pandas category"
    )
