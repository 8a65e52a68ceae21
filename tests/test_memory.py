"""Memory and files of a process that fits tables of ever new shapes.

``VAEIMPUTE_FITS=200`` makes 200 fits instead of 30.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer

N_FITS = int(os.environ.get("VAEIMPUTE_FITS", "30"))
MOST_MEGABYTES = 125.0
# oneDNN, of which TensorFlow makes use, keeps up to 1,024 programs of its own, one for
# each shape that a product has had: another 70 MB, which level off after 100 fits.
SETTINGS = {"TF_ENABLE_ONEDNN_OPTS": "0"}

STATUS = Path("/proc/self/status")
OPEN_FILES = Path("/proc/self/fd")


def resident_megabytes():
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    (kilobytes,) = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(kilobytes) / 1024


def n_open_files():
    return len(list(OPEN_FILES.iterdir()))


def make_table(rng):
    """Return a table of random shape: 1-40 numeric and 0-6 nominal columns."""
    n_rows, n_numeric = rng.integers(20, 401), rng.integers(1, 41)
    factors = rng.normal(size=(n_rows, 2))
    numbers = factors @ rng.normal(size=(2, n_numeric))
    table = pd.DataFrame(numbers + rng.normal(size=numbers.shape))
    table.columns = [f"x{j}" for j in range(n_numeric)]
    for k in range(rng.integers(0, 7)):
        levels = np.array(list("abcdefgh"))[: rng.integers(2, 9)]
        table[f"c{k}"] = rng.choice(levels, size=n_rows)
    return table.where(rng.random(table.shape) > 0.2)


def fit(rng):
    # Ranks that are given save the search for them, which is most of such a fit.
    n_components = rng.choice([4, 16])
    imputer = VAEImputer(n_components=n_components, max_iter=1, random_state=0)
    imputer.fit(make_table(rng))


def fit_many_shapes():
    """Return how resident memory and open files grow from fit to fit, in MB and files.

    Ends early once memory has grown too much.
    """
    rng = np.random.default_rng(0)
    fit(rng)
    n_files, start, growth = n_open_files(), resident_megabytes(), [0.0]
    while len(growth) <= N_FITS and growth[-1] <= MOST_MEGABYTES:
        fit(rng)
        growth.append(resident_megabytes() - start)
    return growth, n_open_files() - n_files


IN_A_NEW_PROCESS = f"""
import json, runpy
print(json.dumps(runpy.run_path({__file__!r})["fit_many_shapes"]()))
"""


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="needs /proc of Linux")
def test_fits_on_many_shapes_keep_little_memory_and_no_file():
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IN_A_NEW_PROCESS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | SETTINGS,
        timeout=60 + 20 * N_FITS,
    )
    assert finished.returncode == 0, finished.stderr
    growth, n_left_open = json.loads(finished.stdout.splitlines()[-1])
    print(f"{max(growth):.0f} MB and {n_left_open} files after {len(growth) - 1} fits")
    assert max(growth) < MOST_MEGABYTES
    assert n_left_open == 0
    assert len(growth) == N_FITS + 1
