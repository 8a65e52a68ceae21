"""The command that says whether something simpler does as well."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import vaeimpute.comparison
from vaeimpute import cli

PAGE = Path(__file__).parents[1] / "docs" / "comparing.md"
FIRST, LAST = "Errors in hidden cells", "use it."


def table(n_rows=60):
    """Return the text of a CSV file with a linear pair and a code."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    rows = [
        f"{a:.3f},{2 * a + 0.1 * b:.3f},{int(a > 0)}"
        for a, b in zip(x, rng.normal(size=n_rows), strict=True)
    ]
    return "\n".join(["x,y,code", *rows, ",0.5,", "NA,,1"]) + "\n"


def invoke(*arguments, content=None):
    return CliRunner().invoke(
        cli.commands, ["compare", *map(str, arguments)], input=content
    )


@pytest.fixture
def calls(monkeypatch):
    """Leave the autoencoder out; return the tables and parameters of comparisons."""
    calls, compare_imputers = [], vaeimpute.comparison.compare_imputers

    def without_vae(X, imputers, **parameters):
        calls.append((X, imputers, parameters))
        some = {name: x for name, x in imputers.items() if name != "vae"}
        return compare_imputers(X, some, **parameters)

    monkeypatch.setattr(vaeimpute.comparison, "compare_imputers", without_vae)
    return calls


def test_prints_a_report(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(table(), encoding="utf-8")
    result = invoke(path, "--max-iter", 2, "--repeats", 1)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(FIRST)
    for name in ("x", "y", "code", "mean", "knn", "iterative", "vae"):
        assert name in result.stdout
    assert result.stdout.rstrip().count(LAST) == 1
    assert result.stderr == ""
    assert path.read_text(encoding="utf-8") == table()


def test_options_reach_the_comparison(calls):
    result = invoke(
        *("-", "--seed", 7, "--fraction", 0.25, "--repeats", 2, "--max-iter", 9),
        *("--categorical", "code", "--missing", "0.5"),
        content=table(),
    )
    assert result.exit_code == 0, result.stderr
    [(X, imputers, parameters)] = calls
    assert parameters == {
        "fraction": 0.25,
        "n_repeats": 2,
        "random_state": 7,
        "categorical_features": ["code"],
    }
    assert imputers["vae"].max_iter == 9
    assert imputers["vae"].random_state == 7
    assert X["y"].isna().sum() == 2  # one of them says 0.5
    assert "nominal" in result.stdout


def test_same_seed_same_report(calls):
    def report(seed):
        result = invoke("-", "--seed", seed, content=table())
        # All but the table with the seconds.
        return [part for part in result.stdout.split("\n\n") if "seconds" not in part]

    assert report(1) == report(1) != report(2)


def test_empty_column_is_warned_of(calls):
    lines = table().splitlines()
    text = "\n".join([lines[0] + ",none", *(line + "," for line in lines[1:])])
    result = invoke("-", content=text)
    assert result.exit_code == 0
    assert "column 'none' has no observed field" in result.stderr
    assert "none" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "content", "exit_code", "message"),
    [
        (["no.csv"], None, 1, "Error: 'no.csv': No such file"),
        (["my.dat"], None, 2, "'my.dat': unknown ending"),
        (["-"], "a,b\n1,\n,2\n", 1, "Error: X: got no column to compare"),
        (["-"], "a,b\n,\n,\n", 1, "Error: no column has an observed field"),
        (["-", "--fraction", "1"], "a\n1\n", 2, "--fraction"),
        (["-", "--repeats", "0"], "a\n1\n", 2, "--repeats"),
        (["-", "--categorical", "z"], "a,b\n1,2\n", 2, "there is no column 'z'"),
        (["-", "--format", "parquet", "--missing", "?"], "", 2, "--missing is for"),
    ],
)
def test_errors(arguments, content, exit_code, message):
    result = invoke(*arguments, content=content)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_all_options_are_documented():
    named = set(re.findall(r"`(--[a-z-]+)`", PAGE.read_text(encoding="utf-8")))
    options = {x for option in cli.compare.params for x in option.opts if x[0] == "-"}
    assert options == named
