"""Containers of tables: data frames of pandas and polars, and arrays of NumPy.

Whatever the container, a column is handed out as a Series of pandas and taken back as
one. polars is not imported before a table of it is there or asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from vaeimpute._dtypes import python_value, unsupported

Table = Any  # a DataFrame of pandas or polars, or an array of shape (n_rows, n_columns)


def as_table(X: Any) -> Table:
    """Return a data frame as it is, and all else as an array of two dimensions."""
    if container_of(X) != "numpy":
        return X
    if _is_polars(X, "LazyFrame"):
        raise TypeError("X: got a LazyFrame, expected a DataFrame; call X.collect()")
    # Lists become objects, or NumPy would turn the numbers beside a string into text.
    array = np.asarray(X) if hasattr(X, "__array__") else np.asarray(X, dtype=object)
    if array.ndim != 2:
        raise ValueError(f"X: got {array.ndim} dimensions, expected a table of 2")
    return array.astype(object) if array.dtype.kind == "U" else array


def container_of(X: Any) -> str:
    """Return "pandas" or "polars" for a data frame, else "numpy"."""
    if isinstance(X, pd.DataFrame):
        return "pandas"
    return "polars" if _is_polars(X, "DataFrame") else "numpy"


def _is_polars(X: Any, kind: str) -> bool:
    polars = sys.modules.get("polars")  # whoever has a frame of it has imported it
    return polars is not None and isinstance(X, getattr(polars, kind))


def names_of(X: Table) -> list[Hashable]:
    """Return the labels of the columns, of an array their positions.

    Raises
    ------
    ValueError
        If labels repeat.
    TypeError
        If labels mix strings with others.
    """
    if container_of(X) == "numpy":
        return list(range(X.shape[1]))
    labels = pd.Index(X.columns)
    repeated = labels[labels.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"X: got repeated column names {repeated}, expected unique")
    names = [python_value(name) for name in labels]
    kinds = sorted({type(name).__name__ for name in names})
    if "str" in kinds and len(kinds) > 1:
        raise TypeError(
            "Feature names are only supported if all input features have string names: "
            f"got names of types {kinds}; convert them with "
            "X.columns = X.columns.astype(str)"
        )
    return names


def column_of(X: Table, j: int) -> pd.Series:
    """Return a column as a Series, without copying where that can be."""
    container = container_of(X)
    if container == "pandas":
        return X.iloc[:, j]
    if container == "polars":
        return _pandas_series(X.to_series(j))
    label = f"Column {j!r}"
    if X.dtype.kind in "mM":
        if np.datetime_data(X.dtype)[0] in ("generic", "ps", "fs", "as"):
            raise unsupported(label, X.dtype)
        return pd.Series(X[:, j])
    if X.dtype.kind not in "biufO":
        raise unsupported(label, X.dtype)
    return pd.Series(X[:, j], dtype=X.dtype, copy=False)


def holds_only_numbers(X: Table) -> bool:
    """Say whether `copy_numbers` can read a table."""
    container = container_of(X)
    if container == "polars":
        return all(x.is_integer() or x.is_float() for x in X.dtypes)
    dtypes = X.dtypes if container == "pandas" else [X.dtype]
    return all(isinstance(x, np.dtype) and x.kind in "iuf" for x in dtypes)


def copy_numbers(X: Table, values: np.ndarray) -> None:
    """Copy all cells into an array of float64, missing ones as NaN."""
    if container_of(X) != "polars":
        values[...] = X
        return
    for j, cells in enumerate(X.iter_columns()):
        values[:, j] = cells.to_numpy()


def with_columns(X: Table, new: Mapping[int, pd.Series]) -> Table:
    """Return a copy of a frame with other cells in the columns at some positions."""
    if container_of(X) == "polars":
        return X.with_columns(
            [_polars_series(X.columns[j], x, X.dtypes[j]) for j, x in new.items()]
        )
    out = X.copy()
    for j, cells in new.items():
        out.isetitem(j, cells)
    return out


def frame(
    names: Sequence[Hashable],
    columns: Sequence[pd.Series],
    rows: pd.Index,
    container: str,
) -> Table:
    """Make a frame of pandas or polars from its columns.

    Categories become an Enum of polars if they are ordered, else Categorical.
    """
    if container == "polars":
        try:
            import polars as pl
        except ImportError:
            raise ImportError(
                "set_output: tables of polars need polars, which is not installed: "
                "pip install 'vaeimpute[polars]'"
            ) from None
        return pl.DataFrame(list(map(_polars_series, names, columns)))
    made = pd.DataFrame(dict(enumerate(columns)), index=rows)
    return made.set_axis(pd.Index(names), axis=1)


def keep(table: Table, kept: np.ndarray) -> Table:
    """Keep the columns at some positions."""
    if len(kept) == table.shape[1]:
        return table
    if container_of(table) == "pandas":
        return table.iloc[:, kept]
    return table[:, list(map(int, kept))]


def append(table: Table, columns: np.ndarray, names: Sequence[str]) -> Table:
    """Append the columns of an array under some names; arrays keep their dtype."""
    container = container_of(table)
    if container == "numpy":
        # Dates have no room for anything else.
        dtype = object if table.dtype.kind in "mM" else table.dtype
        return np.hstack([table.astype(dtype, copy=False), columns.astype(dtype)])
    if container == "pandas":
        appended = pd.DataFrame(columns, index=table.index, columns=list(names))
        return pd.concat([table, appended], axis=1)
    import polars as pl

    return table.hstack(list(map(pl.Series, names, np.ascontiguousarray(columns.T))))


def rename(table: Table, names: Sequence[str]) -> Table:
    """Rename the columns of a frame."""
    if container_of(table) == "pandas":
        return table.set_axis(list(names), axis=1)
    return table.rename(dict(zip(table.columns, names, strict=True)))


def convert(table: Table, container: str, names: Sequence[str]) -> Table:
    """Return a table in another container; the columns of arrays get these names."""
    before = container_of(table)
    if before == container:
        return table
    if before == "polars":
        table = _as_pandas(table)
    elif before == "numpy":
        table = pd.DataFrame(table, columns=list(names)).infer_objects()
    if container == "polars":
        columns = [table.iloc[:, j] for j in range(table.shape[1])]
        return frame(names, columns, table.index, "polars")
    return table if container == "pandas" else _as_array(table)


def _as_pandas(table: Any) -> pd.DataFrame:
    """Return a frame of polars as one of pandas."""
    import polars as pl

    # polars itself forgot the order of an Enum's levels until lately.
    enums = [name for name in table.columns if isinstance(table.schema[name], pl.Enum)]
    return table.to_pandas().assign(**{x: _pandas_series(table[x]) for x in enums})


def _as_array(table: pd.DataFrame) -> np.ndarray:
    """Return one array: numbers with NaN, not objects with ``pd.NA``."""
    is_native = all(isinstance(dtype, np.dtype) for dtype in table.dtypes)
    if is_native or not all(dtype.kind in "biuf" for dtype in table.dtypes):
        return table.to_numpy()
    return table.to_numpy(dtype=np.float64, na_value=np.nan)


def _pandas_series(cells: Any) -> pd.Series:
    """Return a Series of polars as one of pandas: a category, or of Arrow's dtypes."""
    import polars as pl
    import pyarrow as pa

    dtype = cells.dtype
    if isinstance(dtype, pl.Categorical):
        # Its own levels may be those of other tables too.
        texts = cells.cast(pl.String)
        levels = texts.unique().drop_nulls().sort()
        return _pandas_series(texts.cast(pl.Enum(levels))).cat.as_unordered()
    if isinstance(dtype, pl.Enum):
        codes = cells.to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        levels = dtype.categories.to_list()
        return pd.Series(pd.Categorical.from_codes(codes, levels, ordered=True))
    others = (pl.Boolean, pl.String, pl.Date, pl.Datetime, pl.Duration, pl.Null)
    # Arrow has no integers of 128 bits.
    if not (dtype.is_numeric() or isinstance(dtype, others)) or "128" in str(dtype):
        raise unsupported(f"Column {cells.name!r}", dtype)
    array = cells.to_arrow()
    if isinstance(dtype, pl.String):  # pandas does not know Arrow's views of strings
        array = array.cast(pa.large_string())
    return pd.Series(pd.arrays.ArrowExtensionArray(array))


def _polars_series(name: str, cells: pd.Series, dtype: Any = None) -> Any:
    """Return a Series of pandas as one of polars.

    `dtype` is that of the column in whose place it comes, which a Categorical keeps.
    """
    import polars as pl
    import pyarrow as pa

    if isinstance(cells.dtype, pd.CategoricalDtype):
        levels = [str(level) for level in cells.cat.categories]
        codes = pl.Series(cells.cat.codes.to_numpy(), dtype=pl.Int64)
        texts = pl.Series(name, levels, dtype=pl.String)
        texts = texts.gather(codes.set(codes < 0, None))
        if cells.cat.ordered:
            return texts.cast(pl.Enum(levels))
        is_alike = isinstance(dtype, pl.Categorical)
        return texts.cast(dtype if is_alike else pl.Categorical())
    try:
        return pl.from_pandas(cells.rename(name))
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(
            f"Column {name!r}: got cells of several types, expected one type, as a "
            "column of polars holds"
        ) from error
