"""The same model on TensorFlow, JAX and PyTorch, and on other devices."""

import importlib.util
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from vaeimpute import VAEImputer

BACKENDS = ["tensorflow", "jax", "torch"]


def make_table():
    """Return 80 rows of columns that depend on one another, not only on a line."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=80)
    table = pd.DataFrame(
        {
            "height": 170 + 9 * size + rng.normal(size=80),
            "weight": 70 + 8 * size**2 + 3 * rng.normal(size=80),
            "region": np.where(size + rng.normal(size=80) > 0, "north", "south"),
        }
    )
    return table.where(rng.random(table.shape) > 0.15)


def fit_here(path, device=None):
    """Fit on the backend of this process; save the model, return what came out."""
    import keras

    imputer = VAEImputer(
        n_components=2,
        hidden_layer_sizes=(8,),
        max_iter=30,
        learning_rate_init=0.01,
        early_stopping=False,
        random_state=0,
        device=device,
    ).fit(make_table())
    with open(path, "wb") as file:
        pickle.dump(imputer, file)
    return {
        "backend": keras.backend.backend(),
        "has_tensorflow": sys.modules.get("tensorflow") is not None,
        "loss": imputer.loss_curve_,
        "filled": imputer.transform(make_table())[["height", "weight"]].to_numpy(),
    }


def in_a_new_process(path, backend, before="", device=None):
    """Return what `fit_here` returns in a process with another backend."""
    program = f"""
import json, runpy, sys
{before}
found = runpy.run_path({__file__!r})["fit_here"]({str(path)!r}, {device!r})
print(json.dumps(found | {{"filled": found["filled"].tolist()}}))
"""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def needs(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs {backend}")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return fit_here(tmp_path_factory.mktemp("model") / "ours.pickle")


@pytest.fixture(scope="module", params=BACKENDS)
def theirs(request, tmp_path_factory):
    """What another process fits; TensorFlow cannot be imported there but to be used."""
    backend = request.param
    needs(backend)
    path = tmp_path_factory.mktemp(backend) / "model.pickle"
    block = 'sys.modules["tensorflow"] = None' if backend != "tensorflow" else ""
    found = in_a_new_process(path, backend, block)
    assert found["backend"] == backend
    assert found["has_tensorflow"] == (backend == "tensorflow")
    return found | {"path": path}


@pytest.mark.slow
def test_backends_train_the_same_model(theirs, ours):
    assert np.mean(ours["loss"][-5:]) < np.mean(ours["loss"][:5]) - 0.1
    np.testing.assert_allclose(theirs["loss"], ours["loss"], rtol=2e-3)
    # Of columns with standard deviations of 9 and 11.
    np.testing.assert_allclose(theirs["filled"], ours["filled"], atol=0.05)


@pytest.mark.slow
def test_models_answer_alike_on_every_backend(theirs):
    loaded = pickle.loads(theirs["path"].read_bytes())
    filled = loaded.transform(make_table())[["height", "weight"]]
    np.testing.assert_array_equal(filled, theirs["filled"])


#: What gives a process a second CPU device.
SECOND_CPU = {
    "tensorflow": """
import tensorflow as tf
cpu = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [cpu, cpu]
)
""",
    "jax": """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
""",
}

PLACES = """
from vaeimpute import _engine
place = _engine.Engine.place
def spy(self, arrays):
    placed = place(self, arrays)
    assert all("1" in str(array.device) for array in placed), placed
    return placed
_engine.Engine.place = spy
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", SECOND_CPU)
def test_second_device_is_used_and_answers_alike(backend, ours, tmp_path):
    needs(backend)
    theirs = in_a_new_process(
        tmp_path / "model", backend, SECOND_CPU[backend] + PLACES, device="cpu:1"
    )
    np.testing.assert_allclose(theirs["filled"], ours["filled"], atol=0.02)


#: Ends the process in error unless both devices have computed.
BOTH_ARE_USED = {
    "tensorflow": """
import atexit, os
from vaeimpute._backends import _TensorFlow
seen, find = set(), _TensorFlow.value_and_gradient
def spy(self, objective, weights):
    found = find(self, objective, weights)
    seen.add(found[0].device)
    return found
_TensorFlow.value_and_gradient = spy
atexit.register(lambda: None if len(seen) == 2 else os._exit(1))
""",
    "jax": """
from vaeimpute._engine import Engine
train = Engine.train
def spy(*arguments):
    state, losses = train(*arguments)
    assert len(state.weights.devices()) == 2
    return state, losses
Engine.train = spy
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", SECOND_CPU)
def test_two_devices_share_each_step(backend, ours, tmp_path):
    needs(backend)
    theirs = in_a_new_process(
        tmp_path / "model",
        backend,
        SECOND_CPU[backend] + BOTH_ARE_USED[backend],
        device=["cpu:0", "cpu:1"],
    )
    np.testing.assert_allclose(theirs["loss"], ours["loss"], rtol=2e-3)
    np.testing.assert_allclose(theirs["filled"], ours["filled"], atol=0.05)


def test_batches_are_to_be_shared_equally():
    imputer = VAEImputer(batch_size=12, device=["cpu:0", "cpu:0"], max_iter=1)
    with pytest.raises(
        ValueError, match=r"batch_size: got 12, expected a multiple of 8"
    ):
        imputer.fit(make_table())
    with pytest.raises(ValueError, match="device: got \\[\\], expected names"):
        VAEImputer(device=[]).fit(make_table())


@pytest.mark.parametrize("device", ["gpu:7", "cpu:9", "tpu", "abacus"])
def test_device_that_is_not_there_is_named(device, tmp_path):
    with pytest.raises(ValueError, match=f"device: got '{device}', expected None or"):
        fit_here(tmp_path / "model", device)
