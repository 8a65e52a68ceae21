"""Saved estimators: what is saved is loaded, and what is damaged is refused."""

import hashlib
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vaeimpute
from vaeimpute import (
    VAEClassifier,
    VAEImputer,
    VAEOutlierDetector,
    VAERegressor,
    VAETransformer,
)
from vaeimpute._persistence import decode, encode
from vaeimpute.datasets import load_penguins

FROZEN = Path(__file__).parent / "data" / "penguins_format_1.vae"


def make_table():
    table = load_penguins()[::3].reset_index(drop=True)
    table["since"] = pd.Timestamp("2020-01-01", tz="Europe/Paris") + pd.to_timedelta(
        np.arange(len(table)), "D"
    )
    table["took"] = pd.to_timedelta(np.arange(len(table)) % 7, "h")
    table["odd ü\n name"] = np.arange(len(table)) % 5 == 0
    return table.drop(columns="sex")


def answers(estimator, table, label):
    if isinstance(estimator, VAEClassifier):
        return estimator.predict_proba(table)
    if isinstance(estimator, VAERegressor):
        return estimator.predict(table)
    if isinstance(estimator, VAEOutlierDetector):
        return estimator.score_samples(table)
    return estimator.transform(table)


SETTINGS = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
ESTIMATORS = {
    "core": VAEImputer(hidden_layer_sizes=(), add_indicator=True, random_state=0),
    "networks": VAEImputer(**SETTINGS, early_stopping=False, n_networks=2),
    "bounds": VAEImputer(**SETTINGS, min_value={"body_mass_g": np.float32(2e3)}),
    "self_masking": VAEImputer(self_masking=["body_mass_g"], random_state=0),
    "transformer": VAETransformer(2, **SETTINGS),
    "outliers": VAEOutlierDetector(),
    "classifier": VAEClassifier(imputer=VAEImputer(**SETTINGS)),
    "regressor": VAERegressor(imputer=VAEImputer(**SETTINGS)),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_saved_is_loaded(name, tmp_path):
    estimator, table = ESTIMATORS[name], make_table()
    label = load_penguins()["species"][::3].to_numpy(dtype=object)
    if name == "regressor":
        label = np.arange(len(table)) * 0.5
    estimator.fit(table, label)
    estimator.save(tmp_path / "model.vae")
    loaded = vaeimpute.load(tmp_path / "model.vae")

    expected, found = (answers(x, table, label) for x in (estimator, loaded))
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    else:
        np.testing.assert_array_equal(found, expected)
    assert vars(loaded).keys() == vars(estimator).keys()
    assert str(loaded) == str(estimator)
    # A second file of what was loaded is the same, byte for byte.
    loaded.save(tmp_path / "again.vae")
    content = (tmp_path / "model.vae").read_bytes()
    assert (tmp_path / "again.vae").read_bytes() == content


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder does not exist") as caught:
        VAEImputer().save(tmp_path / "models" / "x.vae")
    assert caught.value.filename == str(tmp_path / "models")


def test_what_is_not_fitted_is_saved_as_well(tmp_path):
    imputer = VAEImputer(
        3,
        missing_values=-1,
        random_state=np.random.RandomState(7),
        likelihoods={"income": "lognormal"},
        max_value=[np.inf, 2.0],
    )
    imputer.save(tmp_path / "model")
    loaded = vaeimpute.load(str(tmp_path / "model"))
    assert loaded.get_params().keys() == imputer.get_params().keys()
    assert loaded.n_components == 3
    assert loaded.likelihoods == {"income": "lognormal"}
    assert loaded.max_value == [np.inf, 2.0]
    assert loaded.random_state.rand() == np.random.RandomState(7).rand()


VALUES = [
    *(None, True, -(2**80), 0.1, -0.0, 1e-320, np.inf, "", "\ud83d\0", 2**63),
    *((), (1, (2.5, [None])), {"a": 1, 2: "b", (3, None): [4]}),
    *(np.float32(0.1), np.bool_(True), np.int8(-3), np.array(7)),
    *(np.zeros((0, 3)), np.arange(6, dtype=">i2").reshape(2, 3)[:, ::2]),
    *(np.array(["a", "bcd"]), np.array([None, "x", 2, (1, 2)], dtype=object)),
    *(pd.Timestamp("1677-01-01"), pd.Timestamp("2020-07-25 02:30", tz="Europe/Paris")),
    *(pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Paris"),),
    *(pd.Timedelta("-3 days 1 us"), pd.Timestamp("2020-01-01").as_unit("s")),
]


@pytest.mark.parametrize("stored", VALUES, ids=lambda x: repr(x)[:30])
def test_values_come_back_as_they_were(stored):
    loaded = decode(encode(stored, {}), {})
    assert type(loaded) is type(stored)
    assert repr(loaded) == repr(stored)
    if isinstance(stored, np.ndarray | np.generic):
        assert loaded.dtype == stored.dtype
        assert loaded.shape == stored.shape
    if isinstance(stored, pd.Timestamp | pd.Timedelta):
        assert loaded == stored
        assert loaded.unit == stored.unit


def test_a_loaded_imputer_learns_on(tmp_path):
    table = load_penguins()
    imputer = VAEImputer(**SETTINGS, early_stopping=False).fit(table[:200])
    imputer.partial_fit(table[200:300]).save(tmp_path / "model.vae")
    loaded = vaeimpute.load(tmp_path / "model.vae").partial_fit(table[300:])
    imputer.partial_fit(table[300:])
    pd.testing.assert_frame_equal(loaded.transform(table), imputer.transform(table))


def test_files_of_format_1_are_read():
    imputer = vaeimpute.load(FROZEN)
    expected = json.loads(FROZEN.with_suffix(".json").read_text())
    filled = imputer.transform(load_penguins())
    at = load_penguins()["bill_length_mm"].isna()
    np.testing.assert_allclose(
        filled.loc[at, "bill_length_mm"], expected["bill_length_mm"], rtol=1e-9
    )
    sex = filled.loc[load_penguins()["sex"].isna(), "sex"].tolist()
    assert sex == expected["sex"]


def test_files_are_read_without_keras():
    program = f"""
import sys
sys.modules["keras"] = sys.modules["tensorflow"] = None
import vaeimpute
from vaeimpute.datasets import load_penguins
assert not vaeimpute.load({str(FROZEN)!r}).transform(load_penguins()).isna().any().any()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_noticed(seed, tmp_path):
    content, rng = FROZEN.read_bytes(), np.random.default_rng(seed)
    path = tmp_path / "damaged.vae"
    for _ in range(25):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged\.vae cannot be loaded: it"):
            vaeimpute.load(path)
        path.write_bytes(content[: rng.integers(len(content))])
        with pytest.raises(ValueError, match=r"damaged\.vae cannot be loaded: it"):
            vaeimpute.load(path)
    for beginning in (0, 5, 10, 14, 46, 53, 54):
        path.write_bytes(content[:beginning])
        with pytest.raises(ValueError, match="cannot be loaded: it"):
            vaeimpute.load(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="it is damaged"):
        vaeimpute.load(path)


def write(path, document, arrays=b"", version=1):
    """Write a file whose checksum is right."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    content = struct.pack("<Q", len(text)) + text + arrays
    head = b"VAEIMPUTE\n" + struct.pack("<I", version)
    path.write_bytes(head + hashlib.sha256(content).digest() + content)


def value(stored, arrays=()):
    return {"about": {}, "value": stored, "arrays": list(arrays)}


COLUMN = {"name": "x", "kind": "numeric", "dtype": "float64"}
HOSTILE = {
    "a class that is not listed": value({"object": ["Popen", {"args": "true"}]}),
    "a module": value({"object": ["os.system", {}]}),
    "an object for an estimator": value({"estimator": ["Column", COLUMN]}),
    "an estimator for an object": value({"object": ["VAEImputer", {}]}),
    "an estimator without parameters": value({"estimator": ["VAEImputer", {}]}),
    "a field that is none": value({"object": ["Column", COLUMN | {"evil": 1}]}),
    "an unknown kind": value({"code": "import os"}),
    "two kinds": value({"list": [], "tuple": []}),
    "an array that is not there": value({"array": 3}),
    "an array beyond the end": value({"array": 0}, [["<f8", [2**40]]]),
    "an array of negative size": value({"array": 0}, [["<f8", [-1, -8]]]),
    "an array of endless shape": value({"array": 0}, [["<f8", [0, 10**30]]]),
    "an array of objects": value({"array": 0}, [["|O", [1]]]),
    "an array of records": value({"array": 0}, [["(9999999,)f8", [1]]]),
    "an array of no type": value({"array": 0}, [["<f9", [1]]]),
    "bytes of no array": value(None),
    "texts of a size": value(
        {"objects": ["U", [20_000], {"list": ["x"] * 19_999 + ["x" * 20_000]}]}
    ),
    "objects of another shape": value({"objects": ["O", [7], {"list": [1]}]}),
    "a moment of no zone": value({"Timestamp": [0, "ns", "Mars/Olympus"]}),
    "a list": [1, 2],
    "a number": 7,
    "no value": {"arrays": []},
    "a list without a kind": value([1]),
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "a deep nest": b'{"arrays": [], "value": ' + b'{"list": [' * 9_000,
    "a deep and whole nest": b'{"arrays": [], "value": '
    + b'{"list": [' * 9_000
    + b"]}" * 9_000
    + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name, tmp_path):
    path = tmp_path / "hostile.vae"
    write(path, HOSTILE[name], b"\0" if name == "bytes of no array" else b"")
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"hostile\.vae cannot be loaded: it holds no"):
        vaeimpute.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20


def test_other_formats_are_named(tmp_path):
    write(tmp_path / "new.vae", value(None), version=2)
    with pytest.raises(ValueError, match="it has format 2, expected 1"):
        vaeimpute.load(tmp_path / "new.vae")
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(VAEImputer()))
    with pytest.raises(ValueError, match="it is no saved estimator"):
        vaeimpute.load(tmp_path / "model.pickle")


def test_files_that_cannot_be_read_are_errors_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        vaeimpute.load(tmp_path / "nowhere.vae")
    with pytest.raises(OSError, match="directory"):
        vaeimpute.load(tmp_path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "model.vae"
    VAEImputer(2).save(path)

    def no_space(self, content):
        with open(self, "wb") as stream:
            stream.write(content[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space left"):
        VAEImputer(3).save(path)
    assert os.listdir(tmp_path) == ["model.vae"]
    assert vaeimpute.load(path).n_components == 2


def test_what_is_no_data_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"leave_missing: got <function .*, a function"):
        VAEImputer(leave_missing=lambda x: x.isna()).save(tmp_path / "x.vae")
    with pytest.raises(TypeError, match=r"min_value\['a'\]: got .*, a set"):
        VAEImputer(min_value={"a": {1}}).save(tmp_path / "x.vae")
    assert not os.listdir(tmp_path)


def test_pickles_of_other_versions_warn(monkeypatch):
    stored = pickle.dumps(VAEImputer(2))
    assert pickle.loads(stored).n_components == 2  # and no warning
    monkeypatch.setattr("vaeimpute._base.__version__", "9.9")
    with pytest.warns(UserWarning, match=r"by vaeimpute 0\.\d.* loaded by 9\.9"):
        assert pickle.loads(stored).n_components == 2


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[1] / "docs" / "reliability.md"
    space = {}
    exec(re.search(r"```python\n(.*?)```", page.read_text("utf-8"), re.S)[1], space)
    assert len(space["filled"]) == 344
