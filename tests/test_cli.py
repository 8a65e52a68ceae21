import gzip
import os
import re
import stat
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import vaeimpute
from vaeimpute import _files, cli

ROOT = Path(vaeimpute.__file__).parents[1]

PEOPLE = """\
id,age,income,city,born,note
007,31,2100.50,Lyon,1990-05-01,"said ""no"", left"
008,,1900.25,Oslo,,
009,28,NA,,1993-01-20,über
010,61,4000.00,Oslo,1960-11-30,"two
lines"
"""


class Middle:
    """A stand-in for VAEImputer: medians and most frequent levels."""

    calls: list

    def __init__(self, **parameters):
        self.parameters = parameters

    def fit_transform(self, table):
        self.calls.append((table, self.parameters))
        return table.apply(self.fill)

    @staticmethod
    def fill(column):
        is_nominal = isinstance(column.dtype, pd.CategoricalDtype)
        if is_nominal or column.dtype.kind not in "iufM":
            return column.fillna(column.mode()[0])
        middle = column.quantile(0.5, interpolation="lower")
        return column.fillna(middle)


@pytest.fixture
def calls(monkeypatch):
    """Put the stand-in in VAEImputer's place; return its tables and parameters."""
    monkeypatch.setattr("vaeimpute._imputer.VAEImputer", Middle)
    monkeypatch.setattr(Middle, "calls", [], raising=False)
    return Middle.calls


def invoke(*arguments, content=None):
    arguments = ["impute", *map(str, arguments)]
    return CliRunner().invoke(cli.commands, arguments, input=content)


def filled(text, *options):
    """Return what the program makes of the text of a CSV file."""
    result = invoke("-", *options, content=text.encode())
    assert result.exit_code == 0, result.stderr
    return result.stdout_bytes.decode()


def error(*arguments, content=None, exit_code=1):
    """Return the one line that says what is wrong."""
    result = invoke(*arguments, content=content)
    assert result.exit_code == exit_code
    assert result.stdout_bytes == b""
    assert "Traceback" not in result.stderr
    *lines, last = result.stderr.splitlines()
    # On faults of usage, click shows the usage first.
    assert not lines or exit_code == 2
    assert last.startswith("Error: ")
    return last.removeprefix("Error: ")


def column(*fields):
    """Return the text of a file whose column x holds the fields."""
    rows = "".join(f"{field},{row}\n" for row, field in enumerate(fields))
    return "x,row\n" + rows


def last_field(*fields, options=()):
    """Return what the last field of a column, which is missing, is filled with."""
    lines = filled(column(*fields, ""), *options).splitlines()
    return lines[-1].rpartition(",")[0]


# What is filled, and how it is written


@pytest.mark.usefixtures("calls")
def test_missing_fields_are_filled_and_nothing_else_changes():
    assert filled(PEOPLE) == (
        PEOPLE.replace("008,,", "008,31,")
        .replace("Oslo,,\n", 'Oslo,1990-05-01,"said ""no"", left"\n')
        .replace("NA,,", "2100.50,Oslo,")
    )


def test_nothing_missing_copies_the_file(calls, tmp_path):
    content = b'\xef\xbb\xbf"a";b\r\n1;"x"\r\n\r\n02; y'
    (tmp_path / "in.csv").write_bytes(content)

    result = invoke(tmp_path / "in.csv", "-o", "-", "--delimiter", ";")

    assert result.stdout_bytes == content
    assert result.stderr == "Nothing was filled: OUT says what IN says.\n"
    assert not calls


def test_columns_get_their_dtypes(calls):
    filled(PEOPLE)

    (table, parameters) = calls[0]
    assert table["age"].dtype == "Int64"
    assert table["income"].dtype == "float64"
    assert table["born"].dtype.kind == "M"
    assert table["id"].tolist() == ["007", "008", "009", "010"]
    assert table["city"].isna().tolist() == [False, False, True, False]
    assert parameters == {
        "text_features": "passthrough",
        "verbose": 0,
        "random_state": 0,
    }


@pytest.mark.parametrize("text", sorted(_files.MISSING_TEXTS))
@pytest.mark.usefixtures("calls")
def test_texts_that_mark_a_missing_field(text):
    assert filled(f"x,y\n{text} ,1\n5,2\n") == "x,y\n5,1\n5,2\n"
    assert filled(f'x,y\n"{text}",1\n5,2\n') == "x,y\n5,1\n5,2\n"


@pytest.mark.usefixtures("calls")
def test_further_texts_that_mark_a_missing_field():
    options = ["--missing", "?", "--missing", " -9 "]
    assert last_field("?", "-9", "3", "-9.0", options=options) == "-9"
    assert last_field("?", "-9", "3", options=options) == "3"


@pytest.mark.usefixtures("calls")
def test_a_table_of_one_column_may_have_blank_fields():
    assert filled("x\n1\n\n3\n", "--delimiter", ",") == "x\n1\n1\n3\n"


def test_an_empty_column_stays_as_it_is(calls):
    result = invoke("-", content=b"a,b,c\n,NA,1\n,,\n,,3\n")

    assert result.stdout == "a,b,c\n,NA,1\n,,1\n,,3\n"
    assert result.stderr.splitlines()[:2] == [
        "Warning: column 'a' has no observed field and stays empty.",
        "Warning: column 'b' has no observed field and stays empty.",
    ]
    assert list(calls[0][0]) == ["c"]


@pytest.mark.usefixtures("calls")
def test_cells_that_the_imputer_leaves_missing_are_named(monkeypatch):
    def fill(column):
        return column if column.name == "notes" else column.fillna(1)

    monkeypatch.setattr(Middle, "fill", staticmethod(fill))
    result = invoke("-", content=b"x,notes\n,long\n2,NA\n")

    assert result.stdout == "x,notes\n1,long\n2,NA\n"
    warning, summary = result.stderr.splitlines()
    assert warning == (
        "Warning: column 'notes' holds free text; what is missing stays so."
    )
    assert summary.startswith("Filled 1 field in 1 column in ")


def test_one_odd_word_among_numbers_is_named():
    fields = [*map(str, range(20)), "?", ""]
    result = invoke("-", content=column(*fields).encode())

    assert result.stderr.splitlines()[0] == (
        "Warning: column 'x' is read as text because of '?'; if that marks a missing "
        "field, add --missing '?'."
    )
    for options in [["--missing", "?"], ["--categorical", "x"]]:
        assert "Warning" not in invoke("-", *options, content=column(*fields)).stderr


def test_a_decimal_comma_is_read_and_written(calls):
    text = "x;y;date\n1,50;-2;01.05.1990\n;3,5e1;\n2,25;;02.05.1990\n"
    expected = "x;y;date\n1,50;-2;01.05.1990\n1,50;3,5e1;01.05.1990\n"

    options = ["--delimiter", ";", "--decimal", ","]
    assert filled(text, *options) == f"{expected}2,25;-2;02.05.1990\n"

    ((table, _),) = calls
    assert table["x"].iat[0] == 1.5
    assert table["y"].iat[1] == 35
    # Between commas, what has one needs quotes.
    assert filled('x\n"1,5"\n""\n', "--decimal", ",") == 'x\n"1,5"\n"1,5"\n'
    assert filled("x,y\n1,2\n,3\n", "--decimal", ",") == "x,y\n1,2\n1,3\n"


@pytest.mark.parametrize(
    ("fields", "options", "doubt"),
    [
        (["3", "1;5"], [], "mark"),
        (["3", "1.5"], ["--decimal", ","], "mark"),
        (["1;5", "?"], [], None),
        (["12/31/1990", "01/05/1991"], [], "date"),
        (["31-12-90", "1990-31-12 10:30"], [], "date"),
        (["1.2.3", "10.0.0.1"], [], None),
        (["0171-23", "12/3"], [], None),
        (["Lyon", "Oslo"], [], None),
        (["007", "010"], [], None),
    ],
)
@pytest.mark.usefixtures("calls")
def test_numbers_and_dates_that_are_read_as_text_are_named(fields, options, doubt):
    fields = [field.replace(";", ",") for field in fields]
    content = "\n".join(["x|y", *(f"{field}|1" for field in fields), "|1\n"])

    first, *more = invoke(
        "-", "--delimiter", "|", *options, content=content
    ).stderr.splitlines()

    assert bool(more) == (doubt is not None)
    if doubt is not None:
        odd = next(field for field in fields if field != "3")
        reason = f"Warning: column 'x' is read as text because of {odd!r}; "
        assert first.startswith(reason)
        assert {"mark": "--decimal", "date": "31.05.1990"}[doubt] in first


@pytest.mark.usefixtures("calls")
def test_summary_and_quiet():
    summary = invoke("-", content=PEOPLE.encode()).stderr
    assert re.fullmatch(r"Filled 5 fields in 5 columns in \d+\.\d s\.\n", summary)
    assert invoke("-", "--quiet", content=PEOPLE.encode()).stderr == ""


# Options


def test_options_become_parameters(calls):
    filled(
        PEOPLE,
        *("--seed", "3", "--max-iter", "7", "--text", "error"),
        *("--categorical", "id,city", "--categorical", "age"),
        *("--discrete", "income", "--verbose"),
        *("--min-value", "income=0", "--min-value", "born=1950-01-01"),
        *("--max-value", "income=5e3"),
    )

    ((table, parameters),) = calls
    assert table["age"].dropna().tolist() == ["31", "28", "61"]
    assert parameters == {
        "random_state": 3,
        "max_iter": 7,
        "text_features": "error",
        "categorical_features": ["id", "city", "age"],
        "discrete_features": ["income"],
        "min_value": {"income": 0.0, "born": "1950-01-01"},
        "max_value": {"income": 5000.0},
        "verbose": 1,
    }


def test_names_with_commas_and_equals_signs(calls):
    text = 'a=b,"x,y"\n1,2\n3,\n'
    filled(text, "--categorical", "x,y", "--max-value", "a=b=9")

    parameters = calls[0][1]
    assert parameters["categorical_features"] == ["x,y"]
    assert parameters["max_value"] == {"a=b": 9.0}


def test_bounds_move_inwards_to_what_fields_can_say(calls):
    options = ["--min-value", "x=0.123", "--max-value", "x=9.999"]
    filled(column("1.5", "2.25", ""), *options)
    filled(column("1", "2", ""), *options)

    assert [call[1]["min_value"] for call in calls] == [{"x": 0.13}, {"x": 1.0}]
    assert [call[1]["max_value"] for call in calls] == [{"x": 9.99}, {"x": 9.0}]


def test_options_may_name_an_empty_column(calls):
    filled("e,x\n,1\n,\n,3\n", "--min-value", "e=1", "--categorical", "e")

    assert "min_value" not in calls[0][1]
    assert "categorical_features" not in calls[0][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--categorical", "agee"], "'--categorical': there is no column 'agee', only"),
        (["--discrete", "age,x"], "'--discrete': there is no column 'x', only 'id',"),
        (["--min-value", "x=1"], "'--min-value': there is no column 'x', only"),
        (["--min-value", "3"], "'--min-value': got '3', expected COLUMN=VALUE"),
        (["--max-value", "age=old"], "'--max-value': got 'old', expected a number"),
        (["--max-value", "age=inf"], "'--max-value': got 'inf', expected a number"),
        (["--max-value", "city=3"], "column 'city' holds neither numbers nor dates"),
        (["--delimiter", "ab"], "got 'ab', expected one character, or \\t for tab"),
        (["--delimiter", '"'], "expected one character"),
        (["--encoding", "utf-9"], "got 'utf-9', expected an encoding's name"),
        (["--encoding", "hex"], "got 'hex', expected an encoding's name"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--format", "xlsx"], "'xlsx' is not one of"),
        (["-o", "out.xls"], "'out.xls': unknown ending; known are .csv, .tsv, .tab, "),
        (["-o", "out"], "For others, name the format by --format."),
        (["-o", "out.parquet.gz"], "unknown ending"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_faults_of_usage(options, message):
    assert message in error("-", *options, content=PEOPLE.encode(), exit_code=2)


def test_a_file_needs_an_output(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(PEOPLE)
    assert "Missing option '-o'" in error(path, exit_code=2)


def test_version_and_help():
    runner = CliRunner()
    version = runner.invoke(cli.commands, ["--version"]).stdout
    assert version == f"vaeimpute, version {vaeimpute.__version__}\n"
    assert "Fill the missing" in runner.invoke(cli.commands, ["impute", "-h"]).stdout


@pytest.mark.usefixtures("calls")
def test_documented_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    (tmp_path / "people.csv").write_text(table)
    monkeypatch.chdir(tmp_path)

    lines = re.findall(r"^\$ vaeimpute impute (.*)$", page, re.MULTILINE)
    assert len(lines) > 3
    for line in lines:
        arguments, _, files = line.partition(" < ")
        content = table.encode() if files else None
        result = invoke(*arguments.split(), content=content)
        assert result.exit_code == 0, result.stderr


def test_all_options_are_documented():
    page = (ROOT / "docs" / "command_line.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(--?[a-z-]+)", page))
    options = {x for option in cli.impute.params for x in option.opts if x[0] == "-"}
    assert options == named


# Faults of the data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "standard input: got an empty file, expected a header and rows"),
        (b"a,b\n", "standard input: got a header and no rows, expected at least one"),
        (b"a,b\n\n\n", "got a header and no rows"),
        (b"a,b\n1,2\n\n3\n", "line 4: expected 2 fields as in the header, got 1"),
        (
            b'a,b\n"x\ny",2\n1,2,3\n',
            "line 4: expected 2 fields as in the header, got 3",
        ),
        (b"a,b,a\n1,2,3\n", "the header has the name 'a' 2 times"),
        (b"a,,b\n1,2,3\n", "the header has no name for column 2"),
        (b"\na,b\n1,2\n", "the header has no name for column 1"),
        (b'a,b\n1,2\n"3,4\n', "line 3: a quoted field is never closed, or text"),
        (b'a,b\n1,2\n"3"x,4\n', "line 3: a quoted field is never closed, or text"),
        (b"a,b\n1,2\n1,\xff\n", "line 3: the text is not utf-8; name its encoding"),
        (b"a;b\n1;2\n", "the only column is 'a;b'; if ';' stands between columns, add"),
        (b"a;b\n1,5;2\n", "the only column is 'a;b'; if ';' stands between columns"),
        (b"a,b\n,NA\n", "no column has an observed field to learn from"),
    ],
)
def test_faults_of_text_files(content, message):
    assert message in error("-", content=content)


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ValueError("Column 'x': got\ninfinity"), "Column 'x': got infinity"),
        (TypeError("no such cells"), "no such cells"),
        (ValueError("min_value: got 'x'"), "--min-value: got 'x'"),
        (KeyError("x"), "KeyError: 'x'"),
        (MemoryError("too large"), "MemoryError: too large"),
    ],
)
@pytest.mark.usefixtures("calls")
def test_faults_of_the_fit(monkeypatch, raised, message):
    def fail(self, table):
        raise raised

    monkeypatch.setattr(Middle, "fit_transform", fail)
    assert error("-", content=PEOPLE.encode()) == message


def test_files_that_cannot_be_read_or_written(calls, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(PEOPLE)
    gz = tmp_path / "broken.csv.gz"
    gz.write_bytes(gzip.compress(b"a,b\n1,\n")[:-9])

    assert error(tmp_path / "no.csv", "-o", "-").endswith(": No such file or directory")
    assert error(gz, "-o", "-").startswith(f"{str(gz)!r}: Compressed file ended")
    missing_folder = tmp_path / "no" / "out.csv"
    assert error(path, "-o", missing_folder) == (
        f"{str(tmp_path / 'no')!r}: the folder does not exist"
    )
    assert "is a folder" in error(path, "-o", tmp_path, "--format", "csv")
    assert not calls


def test_a_folder_without_permission_is_known_before_the_fit(
    calls, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    path = tmp_path / "in.csv"
    path.write_text(PEOPLE)

    assert "no permission to write here" in error(path, "-o", tmp_path / "out.csv")
    assert not calls


# Warnings


@pytest.mark.usefixtures("calls")
def test_warnings_of_the_fit_become_lines(monkeypatch):
    def warn(self, table):
        import warnings

        warnings.warn("first\nthing", UserWarning, stacklevel=2)
        warnings.warn("of no interest here", DeprecationWarning, stacklevel=2)
        print("epoch 1")
        return table.fillna(1)

    monkeypatch.setattr(Middle, "fit_transform", warn)
    result = invoke("-", "-q", content=b"a,b\n1,\n,2\n")

    assert result.stderr == "epoch 1\nWarning: first thing\n"
    assert result.stdout == "a,b\n1,1\n1,2\n"


# Files


@pytest.mark.usefixtures("calls")
def test_output_replaces_a_file_at_once(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(PEOPLE)
    target.write_text("old")
    target.chmod(0o600)
    link = tmp_path / "link.csv"
    link.symlink_to(target)

    assert invoke(source, "-o", link).exit_code == 0

    assert link.is_symlink()
    assert target.read_text().startswith("id,age")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(x.name for x in tmp_path.iterdir()) == [
        "in.csv",
        "link.csv",
        "out.csv",
    ]


@pytest.mark.usefixtures("calls")
def test_mode_of_a_new_file_is_that_of_any_other(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text(PEOPLE)
    invoke(source, "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").stat().st_mode == source.stat().st_mode


@pytest.mark.usefixtures("calls")
def test_output_to_a_device_leaves_the_device():
    result = invoke("-", "-o", os.devnull, "--format", "csv", content=PEOPLE.encode())
    assert result.exit_code == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize("raised", [OSError(28, "No space left"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["os.replace", "_imputer"])
def test_failure_leaves_no_file(tmp_path, monkeypatch, raised, place):
    def fail(*arguments):
        raise raised

    monkeypatch.setattr(
        *((os, "replace") if place == "os.replace" else (Middle, "fit_transform")), fail
    )
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(PEOPLE)
    target.write_text("old")

    result = invoke(source, "-o", target)

    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.usefixtures("calls")
def test_input_is_only_replaced_if_that_is_meant(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(PEOPLE)
    link = tmp_path / "link.csv"
    link.symlink_to(path)

    assert "is both IN and OUT" in error(path, "-o", link, exit_code=2)
    assert path.read_text() == PEOPLE
    assert invoke(path, "-o", path, "--overwrite").exit_code == 0
    assert path.read_text() == filled(PEOPLE)


@pytest.mark.usefixtures("calls")
def test_formats_by_ending(tmp_path):
    names = ["in.csv.gz", "mid.tsv", "mid.TAB", "mid.tsv.gz", "out.csv"]
    paths = [tmp_path / name for name in names]
    paths[0].write_bytes(gzip.compress(b'a,b\n"x\ty",1\n"u,v",\n'))

    for source, target in pairwise(paths):
        assert invoke(source, "-o", target).exit_code == 0

    assert (tmp_path / "mid.tsv").read_text() == 'a\tb\n"x\ty"\t1\nu,v\t1\n'
    assert (tmp_path / "out.csv").read_text() == 'a,b\nx\ty,1\n"u,v",1\n'


@pytest.mark.usefixtures("calls")
def test_format_option_is_for_what_has_no_ending(tmp_path):
    target = tmp_path / "table.dat"
    result = invoke("-", "-o", target, "--format", "tsv", content=b"a\tb\n1\t\n2\t3\n")
    assert result.exit_code == 0
    assert target.read_bytes() == b"a\tb\n1\t3\n2\t3\n"


@pytest.mark.usefixtures("calls")
def test_encoding_and_delimiter(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes("gr\xf6\xdfe|x\n1,5|\n|\xe9\n".encode("latin-1"))
    options = ["--encoding", "latin-1", "--delimiter", "|"]

    assert invoke(source, "-o", target, *options).exit_code == 0

    assert target.read_bytes() == "gr\xf6\xdfe|x\n1,5|\xe9\n1,5|\xe9\n".encode(
        "latin-1"
    )


# Parquet


@pytest.mark.usefixtures("calls")
def test_parquet_comes_back_with_its_schema(typed_table, tmp_path):
    pytest.importorskip("pyarrow")
    source, target = tmp_path / "in.parquet", tmp_path / "out.pq"
    typed_table.to_parquet(source)

    result = invoke(source, "-o", target)

    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("Filled 6 fields in 6 columns")
    back = pd.read_parquet(target)
    once = pd.read_parquet(source)
    assert back.dtypes.equals(once.dtypes)
    assert back.index.equals(typed_table.index)
    assert not back.isna().any(axis=None)
    for name in once:
        observed = once[name].notna()
        pd.testing.assert_series_equal(back[name][observed], once[name][observed])


@pytest.mark.usefixtures("calls")
def test_parquet_of_other_programs_keeps_its_types(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table(
        {
            "whole": pa.array([2**62 + 1, None, 5], pa.int64()),
            "flag": pa.array([True, None, True]),
            "level": pa.array(["u", None, "u"]).dictionary_encode(),
            "seconds": pa.array([1, None, 3], pa.timestamp("s")),
        }
    )
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    parquet.write_table(table, source)

    assert invoke(source, "-o", target).exit_code == 0

    back = parquet.read_table(target)
    assert back.schema == parquet.read_table(source).schema
    assert back["whole"].to_pylist() == [2**62 + 1, 5, 5]
    assert back["flag"].to_pylist() == [True, True, True]
    assert back["level"].to_pylist() == ["u", "u", "u"]
    assert not back["seconds"].null_count


@pytest.mark.usefixtures("calls")
def test_csv_to_parquet_and_back(tmp_path):
    pytest.importorskip("pyarrow")
    source, target = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text(PEOPLE)

    assert invoke(source, "-o", target).exit_code == 0
    table = pd.read_parquet(target)
    assert table["age"].dtype.kind == "i"
    assert table["income"].tolist() == [2100.5, 1900.25, 2100.5, 4000.0]
    assert table["born"].dtype.kind == "M"
    assert table["id"].tolist() == ["007", "008", "009", "010"]

    text = invoke(target, "-o", "-", "--format", "tsv").stdout
    assert text.splitlines()[1] == (
        '007\t31\t2100.5\tLyon\t1990-05-01\t"said ""no"", left"'
    )


def test_parquet_faults(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    path = tmp_path / "in.parquet"
    path.write_text("a,b\n1,2\n")
    assert error(path, "-o", "-").startswith(f"{str(path)!r}: ")
    pd.DataFrame({"x": [1.0]}).to_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(20) + content[24:])
    assert error(path, "-o", "-").startswith(f"{str(path)!r}: ")
    pd.DataFrame({"x": []}).to_parquet(path)
    assert (
        error(path, "-o", "-")
        == f"{str(path)!r}: got no rows, expected at least one row"
    )
    assert "--missing is for CSV" in error(
        path, "-o", "-", "--missing", "?", exit_code=2
    )
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    expected = "Parquet files need pyarrow: pip install 'vaeimpute[parquet]'"
    assert error(path, "-o", "-") == expected
    # Before the time to fit, not after it.
    monkeypatch.delattr("vaeimpute._imputer.VAEImputer")
    target = tmp_path / "out.parquet"
    assert error("-", "-o", target, content=PEOPLE.encode()) == expected
