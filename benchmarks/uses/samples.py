"""What a sample of a long table costs a fit, and what further ones give back.

RMSE of the hidden cells of the whole table, beside that of the fit in memory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import markdown
from benchmarks.datasets import load
from benchmarks.uses.study import Study
from benchmarks.uses.works import timed
from vaeimpute import VAEImputer
from vaeimpute.amputation import ampute
from vaeimpute.streaming import fit_dataset

#: Tables, and the samples that are smaller than they.
TABLES = {
    "protein": (20_000,),
    "shuttle": (20_000, 50_000),
    "skin": (50_000, 200_000),
    "beijing_multisite": (50_000, 200_000),
}
PASSES = (0, 4)
FRAME = 20_000


def cases():
    for table, sizes in TABLES.items():
        for size in sizes:
            yield from ((table, size, n_passes) for n_passes in PASSES)
        yield table, 0, 0  # all rows, in memory


def solve(table: str, size: int, n_passes: int, folder: Path | None) -> dict:
    truth = load(table, folder).select_dtypes("number").astype(float)
    hidden = ampute(truth, "mcar", 0.3, random_state=0)

    def frames():
        return (hidden[k : k + FRAME] for k in range(0, len(hidden), FRAME))

    imputer = VAEImputer(random_state=0)
    if size:
        seconds = timed(
            lambda: fit_dataset(imputer, frames, max_rows=size, n_passes=n_passes)
        )
    else:
        seconds = timed(imputer.fit, hidden)
    at = (hidden.isna() & truth.notna()).to_numpy()
    error = ((imputer.transform(hidden) - truth) / truth.std()).to_numpy()[at]
    rmse = float(np.sqrt(np.mean(error**2)))
    return {"rmse": rmse, "seconds": seconds, "n_rows": len(truth)}


def render(rows: pd.DataFrame) -> str:
    whole = rows[rows["size"] == 0].set_index("table")
    lines = []
    for row in rows.sort_values(["n_rows", "size", "passes"]).itertuples():
        if row.table not in whole.index:
            continue
        fitted = f"{row.size:,}" if row.size else "all"
        ratio = row.rmse / whole.loc[row.table, "rmse"]
        lines.append(
            [
                f"{row.table} ({row.n_rows:,})",
                fitted,
                f"{row.passes}",
                markdown.number(row.rmse, ".4f"),
                markdown.number(ratio),
                markdown.number(row.seconds, ".0f"),
            ]
        )
    header = ["table (rows)", "`max_rows`", "`n_passes`", "RMSE", "÷ all", "fit, s"]
    return markdown.table(header, lines)


STUDY = Study(
    "samples",
    ("table", "size", "passes"),
    cases,
    solve,
    render,
    page="large_tables.md",
    takes_folder=True,
)
