"""Pieces of work to be timed, each in a process of its own.

``python -m benchmarks.uses.works WORK ARGUMENTS`` prints what a piece took, as JSON.
What is measured is not what it takes to start the process and import its libraries,
unless it is the import that is timed.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV

from benchmarks.datasets import load
from benchmarks.methods import method_named
from benchmarks.worker import peak_memory, resident_memory
from vaeimpute import VAEImputer
from vaeimpute.amputation import ampute


def timed(function, *arguments, repeat=1):
    """Return the seconds of a call, the median if it is repeated."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        function(*arguments)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def factor_table(n_rows, n_columns, seed=0):
    """Return numbers of three hidden factors, bent, 30 % of them missing."""
    generator = np.random.default_rng(seed)
    factors = generator.standard_normal((n_rows, 3), np.float32)
    numbers = factors @ generator.standard_normal((3, n_columns), np.float32)
    numbers += np.sin(2 * numbers)
    numbers += generator.standard_normal(numbers.shape, np.float32)
    numbers[generator.random(numbers.shape, np.float32) < 0.3] = np.nan
    return numbers


def in_process(module, *arguments, **environment):
    """Return what a module prints as JSON, run in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"{module} {arguments}: {finished.stderr}")
    return json.loads(finished.stdout.splitlines()[-1])


def imputer_named(method):
    made = method_named(method)
    for module in made.imports:
        __import__(module)
    return made.make()


@contextmanager
def watched_training():
    """Yield a list of (engine, steps, seconds) of the calls of `Engine.train`."""
    from vaeimpute._engine import Engine

    calls, train = [], Engine.train

    def watched(engine, state, rows, layout, steps, beta):
        start = time.perf_counter()
        result = train(engine, state, rows, layout, steps, beta)
        calls.append((engine, steps, time.perf_counter() - start))
        return result

    Engine.train = watched
    try:
        yield calls
    finally:
        Engine.train = train


def seconds_of_a_step(calls):
    """Return the median over calls but the first, which also compiles."""
    return float(np.median([took / len(steps.rows) for _, steps, took in calls[1:]]))


def fill(method, dataset, folder):
    """Fit and transform a whole table of numbers, with 30 % of its cells hidden."""
    truth = load(dataset, folder).select_dtypes("number").astype(float)
    hidden = ampute(truth, "mcar", 0.3, random_state=0)
    imputer, filled = imputer_named(method), []
    seconds = timed(lambda: filled.append(imputer.fit_transform(hidden)))
    at = (hidden.isna() & truth.notna()).to_numpy()
    error = (np.asarray(filled[0], float) - truth.to_numpy())[at]
    spread = np.broadcast_to(truth.std().to_numpy(), at.shape)[at]
    rmse = float(np.sqrt(np.mean((error / spread) ** 2)))
    return {"seconds": seconds, "rmse": rmse}


def transform(method, n_rows, repeat):
    """Fill new rows of 20 columns, warm."""
    new = pd.DataFrame(factor_table(n_rows, 20, seed=1))
    imputer = imputer_named(method).fit(pd.DataFrame(factor_table(5_000, 20)))
    imputer.transform(new[:100])
    return {"seconds": timed(imputer.transform, new, repeat=repeat)}


def refit():
    """Fit one shape again and again: what the first costs beyond those that follow."""
    import keras  # noqa: F401

    table = pd.DataFrame(factor_table(400, 8))
    imputer = VAEImputer(max_iter=1, early_stopping=False, random_state=0)
    seconds = [timed(imputer.fit, table) for _ in range(5)]
    before, n_fits = resident_memory(), 50
    for _ in range(n_fits):
        imputer.fit(table)
    usual = min(seconds)
    return {
        "first_overhead": seconds[0] - usual,
        "second_overhead": seconds[1] - usual,
        "mib_per_fit": (resident_memory() - before) / n_fits,
    }


def epoch():
    """Time a training step of 20 columns, and the bare products that it is made of."""
    table = pd.DataFrame(factor_table(10_000, 20))
    with watched_training() as calls:
        VAEImputer(max_iter=15, early_stopping=False, random_state=0).fit(table)
    engine, steps, _ = calls[0]
    bare = bare_products(engine.architecture, steps.rows.shape[1], steps.noise.shape[1])
    return {"step": seconds_of_a_step(calls), "bare": bare}


def bare_products(architecture, n_rows, n_bounded):
    """Return the seconds of the networks' products in a step, by NumPy."""
    pairs = [
        (np.ones((a, b), np.float32), np.ones((b, c), np.float32))
        for a, b, c in products_of_a_step(architecture, n_rows, n_bounded)
    ]
    return timed(lambda: [a @ b for a, b in pairs], repeat=50)


def products_of_a_step(architecture, n_rows, n_bounded):
    """Return (a, b, c) of each product of a x b and b x c matrices in a step.

    Forward, by the inputs and by the weights; no gradient by the encoder's inputs, and
    none by the decoder's weights for the rows whose decoder is frozen.
    """
    products = []
    for name, (*several, n_inputs, n_outputs) in kernels(architecture):
        n_networks = several[0] if several else 1
        both = n_rows + n_bounded
        of_one = [(both, n_inputs, n_outputs)]
        if name != "encoder.input.kernel":
            of_one.append((both, n_outputs, n_inputs))
        learning = n_bounded if name.startswith("decoder") else both
        of_one.append((n_inputs, learning, n_outputs))
        products += n_networks * of_one
    return products


def kernels(architecture):
    shapes = architecture.weight_shapes().items()
    return [(name, shape) for name, shape in shapes if name.endswith("kernel")]


BYTECODE_OFF = "PYTHONDONTWRITEBYTECODE"
IMPORT = """
import sys, time
import pandas, sklearn.impute
start = time.perf_counter()
from vaeimpute import VAEImputer
print(time.perf_counter() - start)
assert "keras" not in sys.modules
"""


def start_up():
    """Import the imputer, compiled to bytecode, beyond scikit-learn and pandas."""
    environment = {x: y for x, y in os.environ.items() if x != BYTECODE_OFF}
    with tempfile.TemporaryDirectory() as folder:
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(2):
            finished = subprocess.run(
                [sys.executable, "-c", IMPORT],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
    return {"seconds": float(finished.stdout)}


def memory():
    """Fit 1,000,000 rows of 20 columns in single precision."""
    table = factor_table(1_000_000, 20)
    VAEImputer(max_iter=1, early_stopping=False).fit(table[:1_000])
    before = resident_memory()
    VAEImputer(max_iter=1, early_stopping=False, random_state=0).fit(table)
    return {"mib": peak_memory() - before}


def size(n_rows, n_columns):
    """Fit one epoch and transform."""
    table = factor_table(n_rows, n_columns)
    imputer = VAEImputer(
        max_iter=1, n_components=8, n_networks=1, early_stopping=False, random_state=0
    )
    imputer.set_params(hidden_layer_sizes=(128, 128), batch_size=256)
    imputer.fit(table[:1_000])
    return {"seconds": timed(imputer.fit_transform, table)}


def grid():
    """Search 24 small fits, and time the training in them."""
    table = factor_table(200, 6)
    imputer = VAEImputer(max_iter=5, early_stopping=False, random_state=0).fit(table)
    grid = {"learning_rate_init": [1e-3, 2e-3, 4e-3], "beta": [0.5, 1.0]}
    search = GridSearchCV(imputer, grid, cv=4, refit=False, n_jobs=1)
    with watched_training() as calls:
        seconds = timed(search.fit, table)
    training = sum(took for *_, took in calls)
    return {"seconds": seconds, "beyond_training": seconds - training}


#: Where a fit and its answers spend their time.
STAGES = {
    "read and encode": ("vaeimpute._base.BaseVAE", "_learn_columns"),
    "core and its rank": ("vaeimpute._training", "_choose_core"),
    "training steps": ("vaeimpute._engine.Engine", "train"),
    "looks at held-out cells": ("vaeimpute._training._Run", "_score"),
    "prior and calibration": ("vaeimpute._imputer.VAEImputer", "_learned"),
    "transform": ("vaeimpute._imputer.VAEImputer", "transform"),
}


def stages(dataset, folder):
    """Fit and transform at most 6,000 rows, and say which stage took how long."""
    table = load(dataset, folder)[:6_000]
    hidden = ampute(table, "mcar", 0.3, random_state=0)
    VAEImputer(max_iter=1, random_state=0).fit(hidden[:200])
    seconds = dict.fromkeys(STAGES, 0.0)
    for stage, (place, name) in STAGES.items():
        owner = pkgutil.resolve_name(place)
        setattr(owner, name, _clocked(getattr(owner, name), seconds, stage))
    whole = timed(VAEImputer(random_state=0).fit_transform, hidden)
    return seconds | {"all else": whole - sum(seconds.values()), "seconds": whole}


def _clocked(function, seconds, stage):
    @functools.wraps(function)
    def clocked(*arguments, **named):
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds[stage] += time.perf_counter() - start

    return clocked


WORKS = (stages, fill, transform, refit, epoch, start_up, memory, size, grid)


def main(name, *arguments):
    work = {work.__name__: work for work in WORKS}[name]
    names = inspect.signature(work).parameters
    counts = {"n_rows", "n_columns", "repeat"}
    given = zip(names, arguments, strict=True)
    print(json.dumps(work(**{n: int(x) if n in counts else x for n, x in given})))


if __name__ == "__main__":
    main(*sys.argv[1:])
