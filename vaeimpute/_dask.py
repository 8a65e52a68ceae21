"""Tables of Dask: rows drawn, and cells filled, where their partitions lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vaeimpute._row_sample import RowSample

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


def is_dask_frame(table) -> bool:
    """Return whether a table is a Dask DataFrame, without importing Dask."""
    kind = type(table)
    return kind.__name__ == "DataFrame" and kind.__module__.split(".")[0] == "dask"


def draw_rows(
    table: DataFrame, size: int, seed: int | Sequence[int], keeps_witnesses: bool
) -> RowSample:
    """Return the sample that `RowSample` draws of a table, drawn by partitions.

    How the table is parted makes no difference: a row's key depends on its place. What
    leaves the partitions is little more than the sample and the witnesses.
    """
    from dask import delayed

    lengths = table.map_partitions(len).compute().to_numpy()
    starts = np.cumsum(lengths) - lengths

    @delayed
    def draw(frame, place):
        sample = RowSample(size, seed, place, keeps_witnesses, int(lengths.sum()))
        if len(frame):
            sample.add(frame)
        return sample

    samples = [
        draw(partition, int(start))
        for partition, start in zip(table.to_delayed(), starts, strict=True)
    ]
    while len(samples) > 1:
        pairs = [samples[k : k + 2] for k in range(0, len(samples), 2)]
        samples = [delayed(_joined)(*pair) for pair in pairs]
    return samples[0].compute()


def _joined(first: RowSample, *others: RowSample) -> RowSample:
    for other in others:
        first.extend(other)
    return first


def fill_partitions(imputer, table: DataFrame) -> DataFrame:
    """Return a table to be filled partition by partition when it is computed."""
    from dask import delayed

    empty = imputer.transform(table._meta_nonempty)[:0]
    return table.map_partitions(_filled, delayed(imputer), delayed(empty), meta=empty)


def _filled(frame: pd.DataFrame, imputer, empty: pd.DataFrame) -> pd.DataFrame:
    return imputer.transform(frame) if len(frame) else empty
