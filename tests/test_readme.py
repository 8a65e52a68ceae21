"""The README's examples run as they stand."""

import re
from pathlib import Path

import pandas as pd
import pytest

from vaeimpute.datasets import load_penguins

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


@pytest.fixture(scope="module")
def names():
    """Return what the examples may use: a table, and what those before defined."""
    return {"df": load_penguins()}


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_example_runs(block, names):
    exec(compile(block, README.name, "exec"), names)
    tables = [x for name, x in names.items() if "filled" in name]
    assert tables
    for table in tables:
        assert isinstance(table, pd.DataFrame)
        assert not table.isna().any(axis=None)


def test_readme_names_only_files_that_exist():
    text = README.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:docs|benchmarks|tests)/[\w./-]*|[A-Z]+\.md)`", text)
    missing = [path for path in paths if not (README.parent / path).exists()]
    assert paths
    assert not missing
