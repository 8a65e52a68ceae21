"""What only a GPU can show; skipped where there is none."""

import os
import subprocess
import sys

import numpy as np
import pytest

from vaeimpute import VAEImputer, _backends
from vaeimpute._engine import Engine

pytestmark = pytest.mark.gpu

#: Processes that share a GPU take memory as they need it, see docs/speed.md.
SHARED = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}

FIT = """
import numpy as np
from vaeimpute import VAEImputer
rng = np.random.default_rng(0)
table = rng.normal(size=(400, 1)) + 0.3 * rng.normal(size=(400, 6))
table[rng.random(table.shape) < 0.3] = np.nan
VAEImputer(max_iter=30, device="gpu:0", random_state=0).fit(table)
"""


@pytest.fixture(autouse=True)
def gpu():
    if not _backends.current().has_own_memory(None):
        pytest.skip("needs a GPU")


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 1)) + 0.3 * rng.normal(size=(400, 6))
    return np.where(rng.random(table.shape) < 0.3, np.nan, table)


def fitted(table, **settings):
    settings = {"max_iter": 30, "early_stopping": False, "random_state": 0} | settings
    return VAEImputer(**settings).fit(table)


def test_model_of_a_gpu_is_that_of_a_cpu(table):
    ours, theirs = (fitted(table, device=name) for name in ("gpu:0", "cpu"))
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0.01)
    filled = [imputer.transform(table) for imputer in (ours, theirs)]
    np.testing.assert_allclose(*filled, atol=0.03)


def test_rows_are_kept_on_the_device_or_sent_to_it(table, monkeypatch):
    kept = fitted(table)
    sent = []

    def stay(engine, rows):
        sent.append(rows)
        return rows

    monkeypatch.setattr(Engine, "place_if_it_pays", stay)
    np.testing.assert_allclose(
        fitted(table).transform(table), kept.transform(table), atol=0.01
    )
    assert sent


def test_mixed_precision_fills_alike(table):
    filled = [
        fitted(table, mixed_precision=mixed).transform(table) for mixed in (False, True)
    ]
    np.testing.assert_allclose(*filled, atol=0.1)


def test_processes_share_a_gpu():
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", FIT],
            env=os.environ | SHARED,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for worker in workers:
        _, error = worker.communicate(timeout=300)
        assert worker.returncode == 0, error
