"""The command that makes a page of what a table lacks."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import vaeimpute.report
from vaeimpute import cli

PAGE = Path(__file__).parents[1] / "docs" / "report.md"


def content(n_rows=40):
    """Return the text of a CSV file with a linear pair and a code."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    rows = [f"{a:.3f},{2 * a + 0.1:.2f},{int(a > 0)}" for a in x]
    return "\n".join(["x,y,code", *rows, ",0.5,", "NA,,1"]) + "\n"


def invoke(*arguments, given=None):
    return CliRunner().invoke(
        cli.commands, ["report", *map(str, arguments)], input=given
    )


@pytest.fixture
def calls(monkeypatch):
    """Fit the linear core only; return the tables and parameters of reports."""
    calls, report = [], vaeimpute.report.report

    def of_core(X, imputer, **parameters):
        calls.append((X, imputer.get_params(), parameters))
        imputer.set_params(n_components=1, hidden_layer_sizes=())
        return report(X, imputer, **parameters)

    monkeypatch.setattr(vaeimpute.report, "report", of_core)
    return calls


@pytest.mark.usefixtures("calls")
def test_writes_a_page(tmp_path):
    path, out = tmp_path / "my <b>.csv", tmp_path / "report.html"
    path.write_text(content(), encoding="utf-8")
    result = invoke(path, "-o", out, "--repeats", 1)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == "Too little data to tell.\n"
    html = out.read_text(encoding="utf-8")
    assert "<h1>Missing data in my &lt;b&gt;.csv</h1>" in html
    assert sorted(x.name for x in tmp_path.iterdir()) == ["my <b>.csv", "report.html"]


def test_options_reach_the_report(calls):
    result = invoke(
        *("-", "-o", "-", "--seed", 7, "--fraction", 0.25, "--repeats", 2),
        *("--max-rows", 30, "--max-iter", 9, "--categorical", "code"),
        *("--missing", "0.5", "--quiet"),
        given=content(),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith("<!DOCTYPE html>")
    [(X, settings, parameters)] = calls
    assert parameters == {
        "fraction": 0.25,
        "n_repeats": 2,
        "max_rows": 30,
        "title": "Missing data",
        "random_state": 7,
    }
    assert settings["max_iter"] == 9
    assert settings["categorical_features"] == ["code"]
    assert settings["text_features"] == "passthrough"
    assert X["y"].isna().sum() == 2  # one of them says 0.5
    assert X.index.tolist() == list(range(1, 43))  # as a reader counts rows


@pytest.mark.usefixtures("calls")
def test_same_seed_same_page():
    one, two, other = (
        invoke("-", "-o", "-", "--repeats", 1, "--seed", seed, given=content()).stdout
        for seed in (1, 1, 2)
    )
    assert one == two != other


@pytest.mark.usefixtures("calls")
def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "my.parquet"
    table = pd.DataFrame(
        {"x": np.arange(30.0), "when": pd.date_range("2020", periods=30)}
    )
    table.iloc[3, 0] = None
    table.to_parquet(path)
    result = invoke(path, "-o", tmp_path / "out", "--repeats", 1)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "out").read_bytes().startswith(b"<!DOCTYPE html>")


@pytest.mark.usefixtures("calls")
def test_empty_column_is_warned_of():
    lines = content().splitlines()
    text = "\n".join([lines[0] + ",none", *(line + "," for line in lines[1:])])
    result = invoke("-", "-o", "-", "--repeats", 1, given=text)
    assert result.exit_code == 0
    assert "column 'none' has no observed field" in result.stderr
    assert "none" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "exit_code", "message"),
    [
        (["no.csv", "-o", "a.html"], None, 1, "Error: 'no.csv': No such file"),
        (["my.dat", "-o", "a.html"], None, 2, "'my.dat': unknown ending"),
        (["-"], "a\n1\n", 2, "Missing option '-o'"),
        (["-", "-o", "-"], "a,b\n1,\n,2\n", 1, "Error: X: got no column to compare"),
        (["-", "-o", "-"], "a,b\n,\n,\n", 1, "Error: no column has an observed"),
        (["-", "-o", "no/a.html"], "a\n1\n", 1, "the folder does not exist"),
        (["-", "-o", "."], "a\n1\n", 1, "is a folder, expected a file"),
        (["-", "-o", "-", "--max-rows", "1"], "a\n1\n", 2, "--max-rows"),
        (["-", "-o", "-", "--categorical", "z"], "a,b\n1,2\n", 2, "no column 'z'"),
    ],
)
def test_errors(arguments, given, exit_code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments, given=given)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_table_is_not_overwritten(tmp_path):
    path = tmp_path / "my.csv"
    path.write_text(content(), encoding="utf-8")
    result = invoke(path, "-o", path)
    assert result.exit_code == 2
    assert "is both IN and OUT" in result.stderr
    assert "--overwrite" not in result.stderr
    assert path.read_text(encoding="utf-8") == content()


def test_all_options_are_documented():
    named = set(re.findall(r"`(--[a-z-]+)`", PAGE.read_text(encoding="utf-8")))
    short = set(re.findall(r"`(-[a-z])`", PAGE.read_text(encoding="utf-8")))
    options = {x for option in cli.report.params for x in option.opts if x[0] == "-"}
    assert options == named | short
