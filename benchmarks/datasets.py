"""Names of tables, how to get them, and the parts of them that suites compare on.

With a folder, every table is the Parquet file ``<name>.parquet`` in it. Without one,
the tables of `BY_NAME` come with scikit-learn or are fetched over the network.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
from sklearn.datasets import fetch_california_housing, fetch_openml, load_breast_cancer


def load(name: str, folder: str | Path | None = None) -> pd.DataFrame:
    """Return the whole table; nominal columns are not of a numeric dtype."""
    if folder is not None:
        path = Path(folder, f"{name}.parquet")
        if not path.is_file():
            raise FileNotFoundError(f"Table {name!r}: expected the file {path}")
        return pd.read_parquet(path)
    if name not in BY_NAME:
        raise ValueError(
            f"Table {name!r}: without a folder (--data), expected one of "
            f"{sorted(BY_NAME)}"
        )
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


def _wdbc() -> pd.DataFrame:
    return load_breast_cancer(as_frame=True).frame.astype({"target": "category"})


def _openml(name: str, version: int) -> pd.DataFrame:
    return fetch_openml(name, version=version, as_frame=True).frame


BY_NAME = {
    "california": _california,
    "concrete": partial(_openml, "Concrete_Data", 1),
    "banknote": partial(_openml, "banknote-authentication", 1),
    "wdbc": _wdbc,
    "letter": partial(_openml, "letter", 1),
    "mushroom": partial(_openml, "mushroom", 1),
    "nursery": partial(_openml, "nursery", 1),
    "car": partial(_openml, "car", 1),
    "vote": partial(_openml, "vote", 1),
    "soybean": partial(_openml, "soybean", 1),
}
