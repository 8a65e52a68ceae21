"""The program in a process of its own: pipes, exit codes and what it imports."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vaeimpute

ROOT = Path(vaeimpute.__file__).parents[1]


def run_program(*arguments, content=None):
    return subprocess.run(
        [sys.executable, "-m", "vaeimpute", *map(str, arguments)],
        cwd=ROOT,
        input=content,
        capture_output=True,
        check=False,
    )


def test_real_imputer_in_a_process_of_its_own():
    rng = np.random.default_rng(0)
    rows = [
        f"{x:.2f},{'ab'[int(x > 0)]},{k:03}" for k, x in enumerate(rng.normal(size=40))
    ]
    rows[3], rows[5] = ",a,003", rows[5].replace(",a", ",").replace(",b", ",")
    text = "\r\n".join(["x,y,id", *rows, ""])

    result = run_program(
        *("impute", "-", "--max-iter", "1", "--min-value", "x=-9"),
        content=text.encode(),
    )

    assert result.returncode == 0, result.stderr
    lines = result.stdout.decode().split("\r\n")
    assert re.fullmatch(r"-?\d\.\d\d?,a,003", lines[4])
    assert lines[6] in {rows[5].replace(",,", f",{level},") for level in "ab"}
    assert lines[:4] + lines[7:] == text.split("\r\n")[:4] + text.split("\r\n")[7:]
    # TensorFlow's own words are not for the reader of a summary.
    assert re.fullmatch(rb"Filled 2 fields in 2 columns in [\d.]+ s\.\n", result.stderr)


def test_exit_codes_of_the_program():
    assert run_program("impute", "-", content=b"a,b\n1\n").returncode == 1
    assert run_program("impute", "-", "--what").returncode == 2


def test_parquet_is_not_shown_on_a_terminal():
    pytest.importorskip("pty")
    ends = os.openpty()
    result = subprocess.run(
        [sys.executable, "-m", "vaeimpute", "impute", "-", "--format", "parquet"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=ends[1],
        stderr=subprocess.PIPE,
        check=False,
    )
    for end in ends:
        os.close(end)
    assert result.returncode == 2
    assert b"Error: a terminal shows no Parquet; name a file by -o" in result.stderr


def test_a_closed_pipe_is_no_error_message(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("a,b\n" + "1,2\n" * 100_000)
    command = f"{sys.executable} -m vaeimpute impute {path} -o - | head -n 1"
    result = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stdout == "a,b\n"
    assert "Traceback" not in result.stderr
    assert "Error" not in result.stderr


def test_importing_the_command_line_is_light():
    source = "import sys, vaeimpute.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"keras", "tensorflow", "sklearn", "pyarrow.parquet"} & set(loaded)
