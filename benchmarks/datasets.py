"""Names of tables, how to get them, and the parts of them that suites compare on.

With a folder, every table is the Parquet file ``<name>.parquet`` in it. Without one,
a table comes from ``tables/``, if its licence lets it be there; or else those of
`BY_NAME` are fetched over the network. Without a folder the
headline tables have at most 5,000 rows, drawn once.

``python -m benchmarks.datasets`` checks ``tables/`` and writes its ``SOURCES.md``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import pandas as pd
from sklearn.datasets import fetch_california_housing, fetch_openml

TABLES = Path(__file__).parent / "tables"
HEADLINE_ROWS = 5_000


@dataclass(frozen=True)
class Source:
    """Where a headline table is from, and what it must be: an entry of sources.json.

    `kind` is "numeric" or "mixed", by the columns other than the target; `columns`
    holds their dtypes, where they are known. Without a `sha256` the table is not in the
    folder.
    """

    title: str
    creators: str
    doi: str | None
    licence: str
    copied_from: str
    changes: str
    kind: str
    target: str
    task: str
    original_rows: int
    rows: int
    missing_cells: int
    sha256: str | None
    columns: dict[str, str]


SOURCES = {
    name: Source(**fields)
    for name, fields in json.loads(
        (TABLES / "sources.json").read_text(encoding="utf-8")
    ).items()
}
HEADLINE = tuple(SOURCES)
HEADLINE_NUMERIC = tuple(name for name in HEADLINE if SOURCES[name].kind == "numeric")
HEADLINE_MIXED = tuple(name for name in HEADLINE if SOURCES[name].kind == "mixed")
COMMITTED = tuple(name for name in HEADLINE if SOURCES[name].sha256)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows to hide cells of, and what a model is to predict from them, if anything."""

    rows: pd.DataFrame
    target: pd.Series | None = None


def load(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the table; nominal columns are not of a numeric dtype.

    It is the whole table, but for headline tables without a folder: of these it is
    the one draw that `committed` has, also if the table is fetched.
    """
    if folder is not None:
        path = Path(folder, f"{name}.parquet")
        if not path.is_file():
            raise FileNotFoundError(f"Table {name!r}: expected the file {path}")
        return pd.read_parquet(path)
    if name in COMMITTED:
        return committed(name)
    if name not in BY_NAME:
        raise ValueError(
            f"Table {name!r}: without a folder (--data), expected one of "
            f"{sorted({*COMMITTED, *BY_NAME})}"
        )
    table = _fetched(name)
    if name in HEADLINE:
        return _drawn(table, HEADLINE_ROWS).reset_index(drop=True)
    return table


def committed(name: str, folder: Path = TABLES) -> pd.DataFrame:
    """Return a headline table of the folder, after a look at its checksum."""
    content = (folder / f"{name}.parquet").read_bytes()
    found, expected = hashlib.sha256(content).hexdigest(), SOURCES[name].sha256
    if found != expected:
        raise ValueError(
            f"Table {name!r}: got a file with SHA-256 {found}, expected {expected}"
        )
    return pd.read_parquet(BytesIO(content))


def _fetched(name: str) -> pd.DataFrame:
    try:
        return BY_NAME[name]()
    except (OSError, ValueError) as error:  # OpenML's own errors are ValueErrors
        raise OSError(
            f"Table {name!r}: could not be fetched ({error}); expected a network, "
            f"or a folder (--data) with {name}.parquet"
        ) from error


def numeric_part(table: pd.DataFrame, max_rows: int) -> pd.DataFrame:
    """Return the first complete rows of all numeric columns, a target included."""
    return table.select_dtypes("number").dropna()[:max_rows].astype("float64")


def nominal_part(table: pd.DataFrame, max_rows: int) -> pd.DataFrame:
    """Return all columns that are not numeric, a class included, as categories.

    Of a longer table, rows are drawn at random: sorted ones lack levels at the start.
    """
    return _drawn(table.select_dtypes(exclude="number"), max_rows).astype("category")


def all_columns(table: pd.DataFrame, max_rows: int) -> pd.DataFrame:
    """Return numeric columns as floats and the others as categories, of drawn rows."""
    numeric = table.select_dtypes("number").columns
    kinds = {name: "float64" if name in numeric else "category" for name in table}
    return _drawn(table, max_rows).astype(kinds)


def without_target(
    name: str, table: pd.DataFrame, max_rows: int = HEADLINE_ROWS
) -> Table:
    """Return all columns but the target, and it, of drawn rows that have it.

    Of a table that is no headline table, all columns, and no target.
    """
    if name not in SOURCES:
        return Table(all_columns(table, max_rows).reset_index(drop=True))
    target = SOURCES[name].target
    table = _drawn(table, max_rows).dropna(subset=target).reset_index(drop=True)
    kind = "float64" if SOURCES[name].task == "regression" else "category"
    rows = all_columns(table.drop(columns=target), max_rows)
    return Table(rows, table[target].astype(kind))


def _drawn(table: pd.DataFrame, max_rows: int) -> pd.DataFrame:
    """Return the whole table, or rows of it drawn at random, in their order."""
    if len(table) <= max_rows:
        return table
    return table.sample(max_rows, random_state=0).sort_index()


def _california() -> pd.DataFrame:
    """Return the published columns, of which scikit-learn has averages per household.

    The published columns are whole numbers, so that rounding restores them exactly.
    """
    averages = fetch_california_housing(as_frame=True).frame
    households = (averages["Population"] / averages["AveOccup"]).round()
    return pd.DataFrame(
        {
            "longitude": averages["Longitude"],
            "latitude": averages["Latitude"],
            "housingMedianAge": averages["HouseAge"],
            "totalRooms": (averages["AveRooms"] * households).round(),
            "totalBedrooms": (averages["AveBedrms"] * households).round(),
            "population": averages["Population"],
            "households": households,
            "medianIncome": averages["MedInc"],
            "medianHouseValue": (averages["MedHouseVal"] * 1e5).round(),
        }
    )


def _openml(name: str, version: int) -> pd.DataFrame:
    return fetch_openml(name, version=version, as_frame=True).frame


BY_NAME = {
    "california": _california,
    "mushroom": partial(_openml, "mushroom", 1),
    "nursery": partial(_openml, "nursery", 1),
    "car": partial(_openml, "car", 1),
    "vote": partial(_openml, "vote", 1),
    "soybean": partial(_openml, "soybean", 1),
}


def sources_page() -> str:
    """Return SOURCES.md, which says of all headline tables where they are from."""
    return _PREFACE + "".join(map(_section, SOURCES, SOURCES.values()))


_PREFACE = f"""# The headline tables

Made from `sources.json` by `python -m benchmarks.datasets`; edit that file instead.

A table of more than {HEADLINE_ROWS:,} rows is a draw,
`table.sample({HEADLINE_ROWS}, random_state=0).sort_index().reset_index(drop=True)`, of
the rows in their original order. Nominal columns are categories. Values are otherwise
those of the original, but for the changes named. A table without a SHA-256 is not in
this folder, always so if its licence is not stated; it is fetched by name, and then
drawn from in the same way.

CC BY 4.0 is the
[Creative Commons Attribution 4.0 licence](https://creativecommons.org/licenses/by/4.0/)
of the UCI Machine Learning Repository.
"""


def _section(name: str, source: Source) -> str:
    origin = "StatLib"
    if source.doi:
        origin = f"[doi:{source.doi}](https://doi.org/{source.doi})"
        origin = f"UCI Machine Learning Repository, {origin}"
    drawn = "drawn from" if source.rows < source.original_rows else "all of"
    facts = {
        "Title": source.title,
        "Creators": source.creators,
        "Source": origin,
        "Copied from": source.copied_from,
        "Licence": source.licence,
        "Changes": source.changes,
        "Rows": f"{source.rows:,}, {drawn} {source.original_rows:,}",
        "Missing cells": f"{source.missing_cells:,}",
        "Kind": f"{source.kind}; target `{source.target}` ({source.task})",
        "Columns": ", ".join(f"`{name}`" for name in source.columns) or "as fetched",
        "SHA-256": f"`{source.sha256}`" if source.sha256 else "not in this folder",
    }
    lines = [f"- **{label}**: {fact}\n" for label, fact in facts.items()]
    return "".join([f"\n## {name}\n\n", *lines])


def main() -> None:
    for name in COMMITTED:
        print(f"{name}: {' × '.join(map(str, committed(name).shape))}")
    (TABLES / "SOURCES.md").write_text(sources_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
