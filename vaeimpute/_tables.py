"""Read a table of any container into one float64 matrix, and write cells back.

`TableSchema.infer` learns what each column is, `TableSchema.read` turns a table into
numbers and level codes, and `TableSchema.write` puts such values back into the cells
that were missing and leaves all else as it was.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from vaeimpute import _containers
from vaeimpute._columns import Column
from vaeimpute._containers import Table, as_table, column_of, container_of
from vaeimpute._dtypes import infinity, python_value

#: Levels that a message lists, at most.
_MAX_LEVELS = 10


@dataclass(frozen=True)
class TableSchema:
    """What the columns of a table are; reads and writes tables of that shape.

    Parameters
    ----------
    columns : tuple of Column
        One per column, in order.
    container : {"numpy", "pandas", "polars"}
        What the table at fit was.
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
    container: str
    sentinel: float | str | None = None

    @classmethod
    def infer(
        cls,
        X: Table,
        *,
        categorical_features: str | Sequence[Any] | None = "from_dtype",
        discrete_features: Sequence[Any] | None = None,
        missing_values: Any = np.nan,
        text_features: str = "error",
    ) -> TableSchema:
        """Learn what the columns of a table are.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Numbers, booleans, text, categories, dates and durations. An object column
            is text (nominal) if any cell is a string, boolean if all cells are, else
            numeric: True and False among numbers count as 1 and 0. Levels that are
            equal in Python, as ``1``, ``1.0`` and ``True``, are one level: the one that
            comes first.
        categorical_features : "from_dtype", array-like or None, default="from_dtype"
            Further nominal columns, besides categories, text and booleans: names, int
            positions, or booleans of shape (n_columns,). "from_dtype" and None: none.
        discrete_features : array-like or None, default=None
            Numeric columns whose filled cells are whole, besides those of integers:
            names, positions or booleans.
        missing_values : number, str or missing value, default=np.nan
            A further value that counts as missing.
        text_features : {"error", "passthrough"}, default="error"
            Whether free text (at least 20 cells, nearly all of which differ, and which
            are long or more than 1,000) is refused or left as it is.

        Returns
        -------
        TableSchema
            The schema of `X`.

        Raises
        ------
        ValueError
            If labels repeat, a dtype is not supported, an entry of
            `categorical_features` or `discrete_features` is no such column, or a column
            is free text.
        TypeError
            If labels mix strings with others, or a cell is neither text nor a number.
        """
        if text_features not in ("error", "passthrough"):
            raise ValueError(
                f"text_features: got {text_features!r}, expected 'error' or "
                "'passthrough'"
            )
        X = as_table(X)
        names = _containers.names_of(X)
        from_dtype = isinstance(categorical_features, str) and (
            categorical_features == "from_dtype"
        )
        listed = None if from_dtype else categorical_features
        nominal = positions(listed, names, "categorical_features")
        discrete = positions(discrete_features, names, "discrete_features")
        sentinel = _checked_sentinel(missing_values)
        columns = [
            Column.infer(
                column_of(X, j),
                name,
                is_nominal=j in nominal,
                is_discrete=j in discrete,
                sentinel=sentinel,
                text_features=text_features,
            )
            for j, name in enumerate(names)
        ]
        return cls(tuple(columns), container_of(X), sentinel)

    def read(self, X: Table) -> tuple[np.ndarray, np.ndarray]:
        """Turn a table into values.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Columns of the fitted kinds, in any dtype and container.

        Returns
        -------
        values : array of shape (n_rows, n_columns), float64
            The number, the seconds of a date (since 1970 in UTC) or of a duration, or
            the code of the level; NaN where the cell is missing or free text, or its
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
        X = as_table(X)
        self._check_columns(X)
        values = np.empty(X.shape)
        if self._is_plain(X):
            _containers.copy_numbers(X, values)
            missing = np.isnan(values)
            if isinstance(self.sentinel, Real):
                missing |= values == self.sentinel
                values[missing] = np.nan
        else:
            missing = np.empty(X.shape, dtype=bool)
            for j, column in enumerate(self.columns):
                cells = column_of(X, j)
                values[:, j], missing[:, j] = column.read(cells, self.sentinel)
        for j in np.flatnonzero(np.isinf(values).any(axis=0)):
            raise infinity(self.columns[j].label)
        return values, missing

    def read_part(self, given: Any, parameter: str) -> np.ndarray:
        """Turn rows of some of the columns into values.

        Parameters
        ----------
        given : mapping or Series of column to value, DataFrame or array
            One row; or rows, in a frame of some columns or an array of all, one row of
            which may also be an array of one axis.
        parameter : str
            Name of the parameter for messages.

        Returns
        -------
        values : array of shape (n_rows, n_columns), float64
            NaN in columns that are not given.

        Raises
        ------
        ValueError
            If a column or a level was not seen at fit, or a column is free text.
        """
        names, n_rows = [column.name for column in self.columns], 1
        if isinstance(given, (Mapping, pd.Series)):
            cells = {name: pd.Series([cell]) for name, cell in given.items()}
        elif container_of(given) == "numpy":
            kind = None if hasattr(given, "__array__") else object
            rows = np.atleast_2d(np.asarray(given, dtype=kind))
            if rows.shape[1:] != (len(names),):
                raise ValueError(
                    f"{parameter}: got an array of shape {np.shape(given)}, expected "
                    f"rows of {len(names)} columns."
                )
            rows, n_rows = as_table(rows), len(rows)
            cells = {name: column_of(rows, j) for j, name in enumerate(names)}
        else:
            known, n_rows = _containers.names_of(given), len(given)
            cells = {name: column_of(given, j) for j, name in enumerate(known)}
        values = np.full((n_rows, len(names)), np.nan)
        for name, column in cells.items():
            is_label = name in names  # as a number may be, which then is no position
            at = names.index(name) if is_label else _position(name, names, parameter)
            values[:, at] = self._known_cells(at, column, parameter)
        return values

    def _known_cells(self, j: int, cells: pd.Series, parameter: str) -> np.ndarray:
        """Return the values of a column's cells, none of which may be new to it."""
        column = self.columns[j]
        values, missing = column.read(cells, self.sentinel)
        for i in np.flatnonzero(np.isnan(values) & ~missing):
            got = f"{parameter}, {column.label}: got {cells.iloc[i]!r}"
            if column.kind == "text":
                raise ValueError(f"{got}, which is free text that the model ignores.")
            levels = ", ".join(map(repr, column.levels[:_MAX_LEVELS]))
            more = ", ..." if len(column.levels) > _MAX_LEVELS else ""
            raise ValueError(f"{got}, expected one of its levels: {levels}{more}.")
        if np.isinf(values).any():
            raise infinity(column.label)
        return values

    def write(self, X: Table, values: np.ndarray, missing: np.ndarray) -> Table:
        """Return a copy of a table in which the missing cells are filled.

        A level that the column cannot hold widens its dtype: categories gain the level,
        other dtypes of pandas become object.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            The table; it is not changed.
        values : array of shape (n_rows, n_columns)
            Numbers, seconds and codes, as from `read`; NaN leaves the cell missing.
        missing : array of shape (n_rows, n_columns), bool
            The cells to fill. Free text is never filled.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            A frame like `X`, or an array: of the dtype of `X` for floats, booleans and
            dates, of float64 for integers and for objects that are numbers, else of
            object.
        """
        X = as_table(X)
        filled = missing & ~np.isnan(values)
        changed = [
            j
            for j in np.flatnonzero(filled.any(axis=0))
            if self.columns[j].kind != "text"
        ]
        if container_of(X) == "numpy":
            return self._write_array(X, values, filled, changed)
        new = {}
        for j in changed:
            at = filled[:, j]
            new[j] = self.columns[j].write(column_of(X, j), at, values[at, j])
        return _containers.with_columns(X, new)

    def _write_array(
        self, X: np.ndarray, values: np.ndarray, filled: np.ndarray, changed: list[int]
    ) -> np.ndarray:
        dtype = self._array_dtype(X)
        is_read = X.dtype.kind in "OmM" and dtype.kind == "f"
        out = self.read(X)[0] if is_read else X.astype(dtype)
        for j in changed:
            at, column = filled[:, j], self.columns[j]
            if column.unit is None:
                out[at, j] = column.decode(values[at, j], dtype)
            else:
                cells = column.write(column_of(X, j), at, values[at, j])
                out[at, j] = cells[at].to_numpy(dtype=dtype)
        return out

    def without_levels(self, X: Table) -> Table:
        """Return a table in which all cells that are no numbers or times are missing.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            Columns of levels and text have the dtype of fit if that can be missing.
        """
        others = [j for j, x in enumerate(self.columns) if x.kind != "numeric"]
        if not others:
            return X
        if container_of(X) == "numpy":
            dtype = X.dtype if X.dtype.kind in "fO" else np.dtype(object)
            out = X.astype(dtype)
            out[:, others] = np.nan
            return out
        rows = X.index if container_of(X) == "pandas" else pd.RangeIndex(len(X))
        blank = {j: self.columns[j].blank(rows, may_stay=True) for j in others}
        return _containers.with_columns(X, blank)

    def build(self, values: np.ndarray) -> Table:
        """Make a table of the fitted dtypes from values alone.

        Parameters
        ----------
        values : array of shape (n_rows, n_columns)
            Numbers, seconds and codes; NaN makes a missing cell.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            In the container of the fitted table, a frame of pandas with a fresh index.
        """
        if self.container == "numpy":
            dtype = self.columns[0].pandas_dtype if self.columns else np.dtype(float)
            dtype = self._array_dtype(np.empty((0, len(self.columns)), dtype=dtype))
            nothing = "NaT" if dtype.kind in "mM" else np.nan
            blank = np.full(values.shape, nothing, dtype=dtype)
            return self.write(blank, values, np.ones(values.shape, dtype=bool))
        rows, filled = pd.RangeIndex(len(values)), ~np.isnan(values)
        cells = [
            column.write(column.blank(rows, may_stay=not at.all()), at, values[at, j])
            for j, (column, at) in enumerate(zip(self.columns, filled.T, strict=True))
        ]
        names = [column.name for column in self.columns]
        return _containers.frame(names, cells, rows, self.container)

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
        return cls(tuple(columns), saved["container"], saved["sentinel"])

    def positions(self, given: Any, parameter: str) -> list[int]:
        """Return the positions of columns, as the function `positions` does."""
        return positions(given, [column.name for column in self.columns], parameter)

    def bounds(self, given: Any, parameter: str, default: float) -> np.ndarray:
        """Return a bound of the filled cells of each column.

        Parameters
        ----------
        given : None, number, array-like of shape (n_columns,) or dict
            One bound for all columns of numbers, one for each column, or one for each
            column that is named. Those of dates and durations are what ``pd.Timestamp``
            and ``pd.Timedelta`` read. None and NaN are no bound.
        parameter : str
            Name of the parameter for messages.
        default : float
            The bound of all other columns: negative for lower bounds, positive for
            upper ones.

        Returns
        -------
        bounds : array of shape (n_columns,), float64
            Numbers, and seconds of dates and durations.

        Raises
        ------
        ValueError
            If a bound does not fit its column, or a column is unknown or not numeric.
        """
        n_columns = len(self.columns)
        bounds = np.full(n_columns, float(default))
        if isinstance(given, Mapping):
            names = [column.name for column in self.columns]
            entries = {_position(key, names, parameter): x for key, x in given.items()}
            for j in entries:
                if self.columns[j].kind != "numeric":
                    raise ValueError(
                        f"{parameter}: got a bound for {names[j]!r}, a "
                        f"{self.columns[j].kind} column, expected numeric columns"
                    )
        elif _shape(given) == (n_columns,):
            entries = dict(enumerate(given))
        elif _shape(given) == () and (given is None or isinstance(given, Real)):
            measures = [column.measure for column in self.columns]
            entries = {j: given for j, x in enumerate(measures) if x == "numbers"}
        else:
            raise ValueError(
                f"{parameter}: got {given!r}, expected a number, a dictionary or an "
                f"array of one number per column, shape ({n_columns},)."
            )
        for j, entry in entries.items():
            if self.columns[j].kind == "numeric":
                bounds[j] = self.columns[j].bound(entry, parameter, default)
        return bounds

    def flags(self, given: Any, X: Table, parameter: str) -> np.ndarray:
        """Return a boolean for each cell of a table.

        Parameters
        ----------
        given : array-like of X's shape, DataFrame or callable
            Booleans. A frame may lack columns of `X`, which are False then; as pandas
            beside pandas it has the index of `X`. A callable is called with `X` and
            returns one of these.
        X : DataFrame or array of shape (n_rows, n_columns)
            The table.
        parameter : str
            Name of the parameter for messages.

        Returns
        -------
        flags : array of shape (n_rows, n_columns), bool

        Raises
        ------
        ValueError
            If the shape, the columns or the index differ from those of `X`, or a cell
            is not boolean.
        """
        X = as_table(X)
        if callable(given):
            given = given(X)
        if container_of(given) != "numpy":
            return self._frame_flags(given, X, parameter)
        if _shape(given) != X.shape:
            got = _shape(given) or repr(given)
            raise ValueError(
                f"{parameter}: got {got}, expected a data frame, or booleans of the "
                f"shape of X, {X.shape}"
            )
        return _booleans(given, parameter)

    def _frame_flags(self, given: Table, X: Table, parameter: str) -> np.ndarray:
        is_array = container_of(X) == "numpy"
        names = [x.name for x in self.columns] if is_array else list(X.columns)
        unknown = [name for name in given.columns if name not in names]
        if unknown:
            raise ValueError(
                f"{parameter}: got columns {unknown}, expected columns of X, {names}"
            )
        if len(given) != len(X):
            raise ValueError(
                f"{parameter}: got {len(given)} rows, expected {len(X)} as in X"
            )
        is_pandas = container_of(given) == container_of(X) == "pandas"
        if is_pandas and not given.index.equals(X.index):
            raise ValueError(
                f"{parameter}: got another index than that of X, expected the same"
            )
        flags = np.zeros(X.shape, dtype=bool)
        for j, name in enumerate(_containers.names_of(given)):
            flags[:, names.index(name)] = _booleans(column_of(given, j), parameter)
        return flags

    def assemble(
        self,
        table: Table,
        kept: np.ndarray,
        names: Sequence[str],
        *,
        indicators: np.ndarray | None = None,
        container: str | None = None,
    ) -> Table:
        """Drop columns of a table, append indicators and change its container.

        Parameters
        ----------
        table : DataFrame or array of shape (n_rows, n_columns)
            As from `write`.
        kept : int array of shape (n_kept,)
            Positions of the columns to keep.
        names : sequence of str, of length n_kept + n_indicators
            Names of the columns of the output. Columns of a frame keep their labels,
            which need not be text, unless indicators are appended, the container
            changes to polars, or the table at fit was an array.
        indicators : array of shape (n_rows, n_indicators), default=None
            Columns to append; in arrays they take on the dtype of the others.
        container : {"numpy", "pandas", "polars"} or None, default=None
            What to return; None means the container of `table`.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_kept + n_indicators)
        """
        names = [str(name) for name in names]
        table = _containers.keep(table, kept)
        if indicators is not None:
            table = _containers.append(table, indicators, names[len(kept) :])
        is_renamed = indicators is not None or self.container == "numpy"
        if is_renamed and container_of(table) != "numpy":
            table = _containers.rename(table, names)
        return (
            table if container is None else _containers.convert(table, container, names)
        )

    def _check_columns(self, X: Table) -> None:
        expected = [column.name for column in self.columns]
        if X.shape[1] != len(expected):
            raise ValueError(f"X: got {X.shape[1]} columns, expected {len(expected)}")
        if "numpy" in (container_of(X), self.container):
            return
        got = list(X.columns)
        if all(isinstance(x, str) for x in (*got, *expected)) and got != expected:
            raise ValueError(f"X: got columns {got}, expected {expected} as at fit")

    def _is_plain(self, X: Table) -> bool:
        """Say whether casts to float64 read the whole table."""
        are_numbers = all(x.kind == "numeric" and x.unit is None for x in self.columns)
        return are_numbers and _containers.holds_only_numbers(X)

    def _array_dtype(self, X: np.ndarray) -> np.dtype:
        """Return the dtype of the array that holds X and whatever is filled in."""
        columns = self.columns
        if X.dtype.kind in "mM" and all(column.unit is not None for column in columns):
            return X.dtype
        has_levels = any(column.kind == "nominal" for column in columns)
        if not all(column.holds_only_numbers for column in columns) or (
            has_levels and X.dtype.kind == "O"
        ):
            return np.dtype(object)
        return X.dtype if X.dtype.kind in "fb" else np.dtype(np.float64)


def positions(given: Any, names: Sequence[Hashable], parameter: str) -> list[int]:
    """Return the positions of the columns that a parameter lists.

    Parameters
    ----------
    given : None or array-like
        Names, int positions, or booleans of shape (n_columns,). None lists none.
    names : sequence of hashable
        Labels of all columns.
    parameter : str
        Name of the parameter for messages.

    Returns
    -------
    positions : list of int

    Raises
    ------
    ValueError
        If an entry is no column.
    """
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Iterable):
        either = "'from_dtype', " if parameter == "categorical_features" else ""
        raise ValueError(
            f"{parameter}: got {given!r}, expected {either}None, or an array-like of "
            "names, positions or booleans"
        )
    entries = [python_value(entry) for entry in given]
    if not entries or not all(isinstance(entry, bool) for entry in entries):
        return [_position(entry, names, parameter) for entry in entries]
    if len(entries) != len(names):
        raise ValueError(
            f"{parameter}: got {len(entries)} booleans, expected one for each of the "
            f"{len(names)} columns"
        )
    return np.flatnonzero(entries).tolist()


def _position(entry: Any, names: Sequence[Hashable], parameter: str) -> int:
    entry = python_value(entry)
    if type(entry) is int and 0 <= entry < len(names):
        return entry
    if isinstance(entry, (str, tuple)) and entry in names:
        return list(names).index(entry)
    raise ValueError(
        f"{parameter}: got {entry!r}, expected the name of a column or a position "
        f"from 0 to {len(names) - 1}"
    )


def _checked_sentinel(missing_values: Any) -> float | str | None:
    value = python_value(missing_values)
    if types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, (str, Real)) and not isinstance(value, bool):
        return value
    raise ValueError(
        f"missing_values: got {missing_values!r}, expected a number, a string or NaN"
    )


def _shape(given: Any) -> tuple[int, ...]:
    """Return the shape of an array-like; () for all else."""
    try:
        return np.shape(given)
    except ValueError:  # rows of different length
        return ()


def _booleans(given: Any, parameter: str) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind == "b":
        return array
    for cell in np.asarray(given, dtype=object).ravel():
        if not isinstance(cell, (bool, np.bool_)):
            got = python_value(cell)
            raise ValueError(f"{parameter}: got {got!r}, expected booleans")
    return array.astype(bool)
