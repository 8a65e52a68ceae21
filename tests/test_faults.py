"""Signals, little memory, read-only arrays, dead workers: what is left after them."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.model_selection import GridSearchCV

from vaeimpute import VAEClassifier, VAEImputer, VAEOutlierDetector, VAETransformer
from vaeimpute.datasets import load_penguins

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}


def factor_table(n_rows, n_columns, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_columns))
    X += rng.normal(size=X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


# Signals.


@pytest.fixture
def signals_raise():
    """Let SIGTERM raise SystemExit, as servers do, and SIGINT KeyboardInterrupt.

    A process that a shell has started in the background ignores SIGINT.
    """
    handlers = {
        signal.SIGTERM: lambda *_: sys.exit(143),
        signal.SIGINT: signal.default_int_handler,
    }
    before = {x: signal.signal(x, handler) for x, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_raise")
@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_in_the_middle_of_a_fit(name, seconds, monkeypatch):
    table = load_penguins()
    imputer = VAEImputer(**SMALL).fit(table)
    before, filled = vars(imputer).copy(), imputer.transform(table)
    imputer.set_params(max_iter=10**6, early_stopping=False)
    before |= imputer.get_params()

    alarm = threading.Timer(seconds, os.kill, [os.getpid(), signal.Signals[name]])
    learn_columns = VAEImputer._learn_columns

    def learn_columns_soon_disturbed(self, X):
        alarm.start()
        return learn_columns(self, X)

    monkeypatch.setattr(VAEImputer, "_learn_columns", learn_columns_soon_disturbed)
    raised = KeyboardInterrupt if name == "SIGINT" else SystemExit
    with pytest.raises(raised):
        imputer.fit(table)
    alarm.join()
    monkeypatch.undo()

    assert vars(imputer) == before
    assert imputer.transform(table).equals(filled)
    imputer.set_params(**SMALL, early_stopping=True)
    assert imputer.fit(table).transform(table).equals(filled)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to be caught")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signal_to_the_command_leaves_no_file(tmp_path, name):
    source = tmp_path / "in.csv"
    load_penguins().to_csv(source, index=False)
    out = tmp_path / "out.csv"
    code = f"""
import os, pathlib, signal, sys
from vaeimpute.cli import main

write_bytes = pathlib.Path.write_bytes

def write_half(path, content):
    write_bytes(path, content[: len(content) // 2])
    os.kill(os.getpid(), signal.{name})

signal.signal(signal.SIGINT, signal.default_int_handler)
pathlib.Path.write_bytes = write_half
sys.argv = ["vaeimpute", "impute", {str(source)!r}, "-o", {str(out)!r}]
main()
"""
    finished = run_code(code)
    assert finished.returncode == {"SIGINT": 1, "SIGTERM": 143}[name], finished.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def run_code(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


# Memory.

OUT_OF_MEMORY = f"""
import json, resource, runpy
from pathlib import Path
from vaeimpute import VAEImputer

space = runpy.run_path({__file__!r})
small = space["factor_table"](50, 3)
large = space["factor_table"](1_000_000, 4).repeat(8, axis=1)
imputer = VAEImputer(**space["SMALL"]).fit(small)
expected = imputer.transform(small)

status = Path("/proc/self/status").read_text()
(now,) = [int(x.split()[1]) for x in status.splitlines() if x.startswith("VmSize")]
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (now * 1024 + 2**27, hard))
try:
    imputer.fit(large)
except MemoryError as error:
    notes = error.__notes__
resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

assert (imputer.transform(small) == expected).all()
assert (imputer.fit(small).transform(small) == expected).all()
print(json.dumps(notes))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_too_little_memory_says_what_to_do():
    finished = run_code(OUT_OF_MEMORY)
    assert finished.returncode == 0, finished.stderr
    assert "vaeimpute.streaming.fit_dataset" in finished.stdout


# Arrays that must not be written to.


@pytest.fixture(params=["flag", "memmap"])
def read_only(request, tmp_path):
    X = factor_table(60, 4)
    if request.param == "flag":
        X.flags.writeable = False
        return X
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def test_read_only_arrays(read_only):
    X, y = read_only, np.arange(60) % 2
    y.flags.writeable = False
    imputer = VAEImputer(**SMALL).fit(X)
    assert not np.isnan(imputer.transform(X)).any()
    imputer.score_samples(X)
    imputer.cell_scores(X)
    imputer.predict_interval(X)
    imputer.impute_multiple(X, n_imputations=2, random_state=0)
    imputer.partial_fit(X)
    VAETransformer(n_components=2, **SMALL).fit(X).transform(X)
    VAEOutlierDetector(VAEImputer(**SMALL)).fit(X).predict(X)
    VAEClassifier(VAEImputer(**SMALL)).fit(X, y).predict_proba(X)


# Workers.


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_search_whose_worker_is_killed_can_be_run_again():
    X = factor_table(40, 3)
    search = GridSearchCV(VAEImputer(**SMALL), {"n_components": [1, 2]}, cv=2, n_jobs=2)
    parent = os.getpid()

    def scoring(estimator, X, y=None):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    search.scoring = scoring
    with pytest.raises(TerminatedWorkerError):
        search.fit(X)
    search.scoring = None
    again = search.fit(X)
    alone = GridSearchCV(VAEImputer(**SMALL), {"n_components": [1, 2]}, cv=2).fit(X)
    scores = [x.cv_results_["mean_test_score"] for x in (again, alone)]
    np.testing.assert_array_equal(*scores)
