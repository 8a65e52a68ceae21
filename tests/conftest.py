import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

#: A program that `make fuzz` runs; it needs atheris.
collect_ignore = ["fuzz_files.py"]


@pytest.fixture
def mixed_table():
    """60 rows with a column of each kind; every column has missing cells.

    The columns depend on one another, so that filling them is not hopeless.
    """
    rng = np.random.default_rng(0)
    n_rows = 60
    size = rng.normal(size=n_rows)
    region = np.where(size + rng.normal(size=n_rows) > 0, "north", "south")
    job = rng.choice(["baker", "clerk", "smith"], size=n_rows)
    table = pd.DataFrame(
        {
            "height": 170 + 9 * size + rng.normal(size=n_rows),
            "weight": 70 + 8 * size + 3 * rng.normal(size=n_rows),
            "children": pd.array(rng.poisson(1.5, size=n_rows), dtype="Int64"),
            "member": pd.array(size > 0.3, dtype="boolean"),
            "region": pd.Categorical(region),
            "job": job.astype(object),
        },
        # Labels that are not positions, so that confusing the two shows.
        index=pd.RangeIndex(100, 100 + n_rows, name="person"),
    ).infer_objects()
    observed = rng.random(table.shape) > 0.15
    return table.where(observed)


@pytest.fixture
def typed_table():
    """Return three rows in dtypes that a file has to bring back."""
    return pd.DataFrame(
        {
            "whole": pd.array([1, None, 3], dtype="Int32"),
            "plain": np.array([1, 2, 3]),
            "number": np.array([0.5, np.nan, 2.5], dtype="float32"),
            "level": pd.Categorical(["b", None, "b"], categories=["b", "a"]),
            "flag": pd.array([True, None, True], dtype="boolean"),
            "text": ["u", None, "u"],
            "when": pd.to_datetime(["2020-01-01", None, "2020-01-03"]).tz_localize(
                "Europe/Oslo"
            ),
        },
        index=pd.Index(["p", "q", "r"], name="person"),
    )


@pytest.fixture
def run_recipe(tmp_path, monkeypatch):
    """Run the code under a title of the page on large tables; return its variables."""
    monkeypatch.chdir(tmp_path)

    def run(title):
        page = Path(__file__).parents[1] / "docs" / "large_tables.md"
        parts = re.split(r"^#+ (.*)$", page.read_text("utf-8"), flags=re.M)
        by_title = dict(zip(parts[1::2], parts[2::2], strict=True))
        first, code = (
            re.search(r"```python\n(.*?)```", by_title[x], re.S)[1]
            for x in (parts[1], title)
        )
        beginning = "\n\n".join(first.split("\n\n")[:3])  # imports and the folder
        space = {}
        exec(f"{beginning}\n{code}", space)
        return space

    return run
