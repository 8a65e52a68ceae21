"""Fit and fill a table of Parquet files that is larger than the memory it may take.

``python -m benchmarks.large_table FOLDER --rows 23_500_000`` makes the table in FOLDER
if it is not there (5 GB), fits it, fills it and prints seconds and memory. Stopped, it
fits once more and goes on to fill where it was.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from benchmarks.worker import peak_memory, resident_memory
from vaeimpute import VAEImputer
from vaeimpute.streaming import fit_dataset, transform_dataset

COLUMNS, ROWS_OF_A_FILE, ROWS_OF_A_GROUP = 30, 500_000, 100_000


def make_table(folder: Path, n_rows: int) -> None:
    """Write files of 30 columns of double precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, n_rows, ROWS_OF_A_FILE)):
        path = folder / f"{number:05d}.parquet"
        if not path.exists():
            rows = rows_of_a_file(number)[: n_rows - start]
            frame = pd.DataFrame(rows).rename(columns="x{}".format)
            unfinished = path.with_suffix(".unfinished")
            frame.to_parquet(unfinished, row_group_size=ROWS_OF_A_GROUP)
            unfinished.rename(path)


def rows_of_a_file(number: int) -> np.ndarray:
    """Return rows of three hidden factors that all files have, bent, 30 % missing."""
    loadings = np.random.default_rng(0).standard_normal((3, COLUMNS))
    generator = np.random.default_rng([1, number])
    rows = generator.standard_normal((ROWS_OF_A_FILE, 3)) @ loadings
    rows += np.sin(2 * rows) + generator.standard_normal(rows.shape)
    rows[generator.random(rows.shape) < 0.3] = np.nan
    return rows


class Watched(VAEImputer):
    """Knows the seconds for which it has trained."""

    seconds = 0.0

    def fit(self, X, y=None):
        start = time.perf_counter()
        super().fit(X)
        self.seconds += time.perf_counter() - start
        return self

    def partial_fit(self, X, y=None):
        start = time.perf_counter()
        super().partial_fit(X)
        self.seconds += time.perf_counter() - start
        return self


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--rows", default="23_500_000")
@click.option("--passes", default=0, help="Further samples to learn on from.")
@click.option("--core", is_flag=True, help="Without networks.")
def main(folder: Path, rows: str, passes: int, core: bool) -> None:
    """Make a table in FOLDER, fit and fill it."""
    source, sink = folder / "table", folder / "filled"
    if sink.exists():
        raise click.ClickException(f"{sink} is there already, remove it")
    # In a process of its own: the peak of memory is to be that of fitting and filling.
    maker = multiprocessing.get_context("spawn").Process(
        target=make_table, args=(source, int(rows))
    )
    maker.start()
    maker.join()
    if maker.exitcode:
        raise click.ClickException(f"{source} could not be made")
    settings = {"hidden_layer_sizes": ()} if core else {}
    few = np.random.default_rng(0).standard_normal((1_000, COLUMNS))
    VAEImputer(max_iter=1, **settings).fit(few)
    before, start = resident_memory(), time.perf_counter()
    imputer = Watched(random_state=0, **settings)
    fit_dataset(imputer, source, n_passes=passes)
    fitted, fit_peak = time.perf_counter(), peak_memory()
    transform_dataset(imputer, source, sink)
    found = {
        "gigabytes": sum(x.stat().st_size for x in source.iterdir()) / 1e9,
        "draw_seconds": fitted - start - imputer.seconds,
        "train_seconds": imputer.seconds,
        "fill_seconds": time.perf_counter() - fitted,
        "mib_of_fit": fit_peak - before,
        "mib_of_both": peak_memory() - before,
    }
    click.echo(json.dumps(found))


if __name__ == "__main__":
    main()
