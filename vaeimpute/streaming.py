"""Tables larger than memory: fitted from a sample of rows, filled piece by piece.

A source is a Parquet or CSV file, a folder of such files, a dataset of pyarrow, a
function that returns an iterator of data frames, anew at each call, or a DataFrame of
Dask.
"""

from __future__ import annotations

import functools
import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import joblib
import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from vaeimpute._atomic_files import remove_unfinished, replacing
from vaeimpute._dask import draw_rows, fill_partitions, is_dask_frame
from vaeimpute._files import MISSING_TEXTS, require_pyarrow, to_pandas
from vaeimpute._generation import check_count
from vaeimpute._row_sample import RowSample

if TYPE_CHECKING:
    import pyarrow as pa
    from dask.dataframe import DataFrame

    Files = str | os.PathLike | pa.dataset.Dataset | Callable[[], Iterable]
    Source = Files | DataFrame

#: Rows that are read and filled at once.
_BATCH_ROWS = 65_536

_PROGRESS = "progress.json"


def fit_dataset(imputer, source: Source, *, max_rows: int = 200_000, n_passes: int = 0):
    """Fit an estimator to a table that does not fit in memory.

    One pass draws `max_rows` rows at random, each subset with the same probability. To
    these come rows that hold the least and the largest number of a column, or a level
    that no drawn row has. What the estimator learns from so many rows differs little
    from what it learns from all (docs/large_tables.md). Each further pass draws as many
    rows anew, and lets it learn on from them by `partial_fit`.

    Parameters
    ----------
    imputer : estimator
        Such as `VAEImputer`; its `random_state` also draws the rows.
    source : path, pyarrow.dataset.Dataset, callable or dask.dataframe.DataFrame
        A Parquet or CSV file, a folder of these, a dataset, a function that returns an
        iterator of data frames, or a table of Dask, whose workers draw the rows. In CSV
        files, empty fields, NA, NaN, NULL and the like are missing.
    max_rows : int, default=200_000
        Rows to fit; all rows of a shorter table are fitted, in their order.
    n_passes : int, default=0
        How often a longer table is gone over once more.

    Returns
    -------
    imputer
        The same, fitted.

    Raises
    ------
    ValueError
        If the source has no rows, a file cannot be read, one has other columns or types
        than the first, or the source changes between two passes.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.streaming import fit_dataset
    >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0)
    >>> fit_dataset(imputer, lambda: iter([load_penguins()])).n_features_in_
    8
    """
    check_count(max_rows, "max_rows", 1)
    check_count(n_passes, "n_passes", 0)
    if n_passes and not hasattr(imputer, "partial_fit"):
        raise ValueError(
            f"n_passes: got {n_passes}, expected 0 with a {type(imputer).__name__}, "
            "which has no partial_fit."
        )
    known = _fingerprint(source)
    generator = check_random_state(getattr(imputer, "random_state", None))
    seed = generator.randint(np.iinfo(np.int32).max)
    first = _draw(source, max_rows, [seed, 0], "Reading", imputer)
    if not first.n_rows:
        raise ValueError("source: got no rows, expected some to fit.")
    imputer.fit(first.with_witnesses())
    for number in range(1, 1 + (n_passes if first.n_rows > max_rows else 0)):
        label = f"Pass {number} of {n_passes}"
        other = _draw(source, max_rows, [seed, number], label, imputer, False)
        _check_unchanged(source, known)
        if other.n_rows != first.n_rows:
            raise ValueError(
                f"source: got {other.n_rows} rows in pass {number}, expected the "
                f"{first.n_rows} that came before."
            )
        imputer.partial_fit(other.drawn())
    return imputer


def transform_dataset(
    imputer, source: Source, sink: str | os.PathLike | None = None
) -> Path | DataFrame:
    """Fill a table piece by piece, into a folder of Parquet files.

    A piece is a row group of a Parquet file, a CSV file, or a frame of an iterator. Its
    rows are filled into a part of their own. The folder gets its name when all parts
    are there; until then it is called ``<sink>.partial``, and the same call after an
    interruption goes on behind the last whole part. Answers do not depend on pieces.

    A table of Dask is filled where its partitions lie, when what is returned is
    computed or written.

    Parameters
    ----------
    imputer : VAEImputer
        Fitted.
    source : path, pyarrow.dataset.Dataset, callable or dask.dataframe.DataFrame
        As of `fit_dataset`.
    sink : path, default=None
        Of the folder to be made; None with a table of Dask, and only then.

    Returns
    -------
    sink : Path
        The folder; its files in the order of their names hold the rows in their order.
        With a table of Dask, one like it: its index, divisions and partitions.

    Raises
    ------
    FileExistsError
        If there is something at `sink`.
    ValueError
        If a file cannot be read, has other columns or types than the first, or changed
        meanwhile, if an unfinished folder is of another source or model, or if there is
        a sink for a table of Dask, or none for another source.

    Examples
    --------
    >>> import os, tempfile
    >>> import pandas as pd
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.streaming import transform_dataset
    >>> penguins = load_penguins()
    >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
    >>> def pieces():
    ...     return iter([penguins[:200], penguins[200:]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sink = transform_dataset(imputer, pieces, os.path.join(folder, "filled"))
    ...     print([len(pd.read_parquet(part)) for part in sorted(sink.iterdir())])
    [200, 144]
    """
    check_is_fitted(imputer)
    if is_dask_frame(source):
        if sink is not None:
            raise ValueError(
                f"sink: got {sink}, expected None with a table of Dask: write the one "
                "that is returned, such as by its to_parquet."
            )
        return fill_partitions(imputer, source)
    if sink is None:
        raise ValueError("sink: got None, expected the path of a new folder.")
    return _fill_files(imputer, source, Path(sink))


def _fill_files(imputer, source: Files, sink: Path) -> Path:
    if sink.exists():
        raise FileExistsError(f"sink: {sink} is there already, expected a new folder.")
    partial = sink.with_name(f"{sink.name}.partial")
    pieces = _pieces(source)
    job = {"source": _fingerprint(source), "model": _digest(imputer)}
    _begin(partial, job)
    with _counted(pieces, "Filling", imputer) as counted:
        for number, piece in enumerate(counted):
            part = partial / f"part-{number:06d}.parquet"
            if not part.exists():
                _write_part(imputer, piece, part)
    _check_unchanged(source, job["source"], f"; {partial} holds both states, remove it")
    (partial / _PROGRESS).unlink()
    partial.rename(sink)
    return sink


@dataclass(frozen=True)
class _Piece:
    """Some rows that are read, and written, together."""

    name: str
    batches: Callable[[], Iterable[pd.DataFrame]]
    schema: pa.Schema | None = None

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows, some at a time; no frame is empty."""
        import pyarrow as pa

        try:
            yield from filter(len, self.batches())
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{self.name}: cannot be read: {error}") from error


def _pieces(source: Source) -> Iterable[_Piece]:
    """Return what a source consists of."""
    if callable(source):
        return _frames_as_pieces(source)
    dataset = _as_dataset(source)
    fragments = sorted(dataset.get_fragments(), key=lambda x: x.path)
    schema = functools.reduce(_unified, fragments, dataset.schema)
    return [piece for fragment in fragments for piece in _pieces_of(fragment, schema)]


def _draw(
    source: Source, size: int, seed, label: str, estimator, keeps_witnesses: bool = True
) -> RowSample:
    """Return rows drawn from all of a source."""
    if is_dask_frame(source):
        return draw_rows(source, size, seed, keeps_witnesses)
    sample = RowSample(size, seed, keeps_witnesses=keeps_witnesses)
    with _counted(_pieces(source), label, estimator) as counted:
        for piece in counted:
            for frame in piece.frames():
                sample.add(frame)
    return sample


def _counted(pieces: Iterable[_Piece], label: str, estimator):
    """Return what counts pieces in a progress bar, if the estimator is verbose."""
    is_quiet = not getattr(estimator, "verbose", 0)
    return click.progressbar(pieces, label=label, hidden=is_quiet)


def _frames_as_pieces(source) -> Iterator[_Piece]:
    for number, frame in enumerate(source()):
        if not isinstance(frame, pd.DataFrame):
            raise ValueError(
                f"source: got an iterator of {type(frame).__name__}, expected data "
                "frames of pandas."
            )
        if len(frame):
            yield _Piece(f"frame {number}", lambda frame=frame: [frame])


def _as_dataset(source) -> pa.dataset.Dataset:
    require_pyarrow()
    from pyarrow import ArrowException, csv, dataset

    if isinstance(source, dataset.FileSystemDataset):
        return source
    if isinstance(source, dataset.Dataset):
        raise ValueError(
            f"source: got a {type(source).__name__}, expected a dataset of files."
        )
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"source: there is no {path}.")
    kinds = {x.suffix.lower() for x in _files_of(path)}
    if len(kinds) != 1 or not kinds <= {".parquet", ".csv"}:
        raise ValueError(
            f"source: got files that end with {sorted(kinds)} in {path}, expected "
            "all .parquet or all .csv."
        )
    try:
        form = dataset.ParquetFileFormat()
        if kinds == {".csv"}:
            missing = {
                "null_values": sorted(MISSING_TEXTS),
                "strings_can_be_null": True,
            }
            form = dataset.CsvFileFormat(convert_options=csv.ConvertOptions(**missing))
        return dataset.dataset(list(map(str, _files_of(path))), format=form)
    except (ArrowException, OSError) as error:
        raise ValueError(f"source: {path} cannot be read: {error}") from error


def _files_of(path: Path) -> list[Path]:
    """Return the files of a folder, without hidden ones, or the file itself."""
    if not path.is_dir():
        return [path]
    files = (x for x in path.rglob("*") if x.is_file())
    return sorted(x for x in files if not x.name.startswith((".", "_")))


def _unified(schema: pa.Schema, fragment) -> pa.Schema:
    """Return the schema with the types of a file for columns of nothing before."""
    import pyarrow as pa

    try:
        found = fragment.physical_schema
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{fragment.path}: cannot be read: {error}") from error
    if found.names != schema.names:
        raise ValueError(
            f"{fragment.path}: got columns {found.names}, expected {schema.names} "
            "as in the first file."
        )
    for field, known in zip(found, schema, strict=True):
        # A file in which a column has no cell does not know its type.
        if field.type != known.type and pa.null() not in (field.type, known.type):
            raise ValueError(
                f"{fragment.path}, column {field.name!r}: got {field.type}, "
                f"expected {known.type} as in the first file."
            )
    return pa.unify_schemas([schema, found])


def _pieces_of(fragment, schema: pa.Schema) -> Iterator[_Piece]:
    """Yield the row groups of a file, or the file where it has none."""
    groups = [fragment]
    if hasattr(fragment, "split_by_row_group"):
        groups = fragment.split_by_row_group()
    for number, group in enumerate(groups):

        def batches(group=group):
            # Reading ahead would hold many batches in memory.
            found = group.to_batches(
                schema=schema, batch_size=_BATCH_ROWS, batch_readahead=1
            )
            return map(_as_frame, found)

        yield _Piece(f"{fragment.path}, piece {number}", batches, schema)


def _as_frame(batch: pa.RecordBatch) -> pd.DataFrame:
    import pyarrow as pa

    return to_pandas(pa.Table.from_batches([batch]))


def _begin(partial: Path, job: dict[str, Any]) -> None:
    """Make the unfinished folder, or see that it is of the same job."""
    record = partial / _PROGRESS
    if not partial.exists():
        partial.mkdir(parents=True)
        with replacing(record) as path:
            path.write_text(json.dumps(job))
        return
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        known = None
    if known != job:
        raise ValueError(
            f"sink: {partial} was begun with another source or model; remove it, or "
            "choose another sink."
        )
    remove_unfinished(partial)


def _write_part(imputer, piece: _Piece, part: Path) -> None:
    """Fill a piece into a file that gets its name when it is whole."""
    from pyarrow import parquet

    writer = None
    with replacing(part) as path:
        try:
            for frame in piece.frames():
                table = _as_table(imputer.transform(frame), piece.schema)
                writer = writer or parquet.ParquetWriter(path, table.schema)
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()
        if writer is None:  # a file without rows
            parquet.write_table(piece.schema.empty_table(), path)


def _as_table(frame: pd.DataFrame, schema: pa.Schema | None) -> pa.Table:
    """Return filled rows in the types of the source, where it has the column."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    known = set(schema.names) if schema is not None else set()
    fields = [schema.field(x.name) if x.name in known else x for x in table.schema]
    return table.cast(pa.schema(fields))


def _fingerprint(source) -> Any:
    """Return what tells a source from a changed one; files by size and time."""
    if callable(source) or is_dask_frame(source):
        return None
    dataset = _as_dataset(source)
    found = dataset.filesystem.get_file_info(sorted(dataset.files))
    return [[file.path, file.size, file.mtime_ns] for file in found]


def _check_unchanged(source, known: Any, consequence: str = "") -> None:
    """Raise if files are no longer what they were; name them."""
    found = _fingerprint(source)
    if found == known:
        return
    changed = {path for path, *_ in known + found}
    changed -= {file[0] for file in known if file in found}
    raise ValueError(
        f"source: {', '.join(sorted(changed))} changed while it was read{consequence}."
    )


def _digest(imputer) -> str:
    """Return what tells a fitted model from another, in any process."""
    # The hash also tells which parts are one object; after pickling that is the same
    # for a model that was just fitted and for one that was loaded.
    copy = pickle.loads(pickle.dumps(imputer))
    return joblib.hash(copy.set_params(verbose=0))
