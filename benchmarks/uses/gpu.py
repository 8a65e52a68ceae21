"""A GPU beside the CPU: seconds of a training step, and how near its bound they come.

A step's arithmetic is counted from its products of matrices. The bound is what the same
device does in one large product. Needs a GPU; each case has a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd

from benchmarks import markdown
from benchmarks.uses.study import Study
from benchmarks.uses.works import (
    factor_table,
    in_process,
    products_of_a_step,
    seconds_of_a_step,
    timed,
    watched_training,
)

BACKENDS = ("tensorflow", "jax", "torch")
SIZES = ((1_000_000, 50), (10_000_000, 20))
BATCHES = (256, 1_024, 4_096, 16_384)
#: What tables of this size get by default.
USUAL_BATCH = 1_024
#: Sides of the product that tells what a device can do.
LARGE = 4_096


def cases():
    for backend in BACKENDS:
        for n_rows, n_columns in SIZES:
            for batch_size in BATCHES:
                yield backend, n_rows, n_columns, batch_size, "gpu:0"
            yield backend, n_rows, n_columns, USUAL_BATCH, "cpu"


def solve(backend, n_rows, n_columns, batch_size, device) -> dict:
    sizes = n_rows, n_columns, batch_size
    return in_process("benchmarks.uses.gpu", *sizes, device, KERAS_BACKEND=backend)


def train_on(n_rows: int, n_columns: int, batch_size: int, device: str) -> dict:
    """Train some hundred steps, fill all rows; return seconds and shares of the bound.

    The seconds of `fit` are of this few steps; `transform` computes on the CPU.
    """
    from vaeimpute import VAEImputer

    table = factor_table(n_rows, n_columns)
    imputer = VAEImputer(
        batch_size=batch_size,
        max_iter=max(1, 400 * batch_size // n_rows),
        early_stopping=False,
        device=device,
        random_state=0,
    )
    with watched_training() as calls:
        fit = timed(imputer.fit, table)
    step = seconds_of_a_step(calls)
    engine, steps, _ = calls[0]
    products = products_of_a_step(engine.architecture, batch_size, steps.noise.shape[1])
    operations = sum(2 * a * b * c for a, b, c in products)
    return {
        "device_name": device_name(device),
        "step": step,
        "rows_per_second": batch_size / step,
        "share_of_bound": operations / step / operations_per_second(device),
        "fit": fit,
        "transform": timed(imputer.transform, table),
    }


def operations_per_second(device: str) -> float:
    """Return what a device does in a large product of single precision."""
    import keras

    with keras.device(device):
        square = keras.ops.ones((LARGE, LARGE), "float32")

        def multiply():
            # The sum on the host waits for the device.
            float(keras.ops.sum(keras.ops.matmul(square, square)))

        multiply()
        return 2 * LARGE**3 / timed(multiply, repeat=5)


def device_name(device: str) -> str:
    """Return what the driver calls a GPU."""
    if device == "cpu":
        return device
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True)
    return found.stdout.splitlines()[0]


def render(rows: pd.DataFrame) -> str:
    lines = [
        [
            f"{row.n_rows:,} × {row.n_columns}",
            row.backend,
            row.device_name,
            f"{row.batch_size:,}",
            markdown.number(1e3 * row.step, ".2f"),
            markdown.number(row.rows_per_second, ",.0f"),
            markdown.number(100 * row.share_of_bound, ".0f"),
            markdown.number(row.transform, ".1f"),
        ]
        for row in rows.itertuples()
    ]
    header = ["table", "backend", "device", "batch", "ms a step", "rows a second"]
    return markdown.table(
        [*header, "% of a large product's speed", "`transform`, s"], lines, 4
    )


STUDY = Study(
    "gpu",
    ("backend", "n_rows", "n_columns", "batch_size", "device"),
    cases,
    solve,
    render,
    page="speed.md",
)


if __name__ == "__main__":
    print(json.dumps(train_on(*map(int, sys.argv[1:4]), sys.argv[4])))
