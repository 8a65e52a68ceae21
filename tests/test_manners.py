"""What a fit leaves alone: the network, the file system, and the units of numbers."""

import socket

import numpy as np
import pytest

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins

NETWORKS = {"hidden_layer_sizes": (8,), "max_iter": 5, "early_stopping": False}


def test_nothing_is_sent_and_nothing_written(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise AssertionError(f"connects to {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.chdir(tmp_path)
    imputer = VAEImputer(**NETWORKS, random_state=0).fit(load_penguins())
    imputer.transform(load_penguins())
    imputer.impute_multiple(load_penguins()[:20], n_imputations=2, random_state=0)
    imputer.sample(5, random_state=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [1e-12, 2.0**-40, 2.0**40, 1e12])
@pytest.mark.parametrize("settings", [{"hidden_layer_sizes": ()}, NETWORKS])
def test_units_do_not_matter(settings, scale):
    table = load_penguins().select_dtypes("number").astype(float)
    imputer = VAEImputer(**settings, random_state=0)
    # A table that is not in whole numbers of any unit, as thousandths are.
    table += np.random.default_rng(0).normal(0, 1e-3, table.shape)
    expected = imputer.fit_transform(table)
    found = imputer.fit_transform(scale * table) / scale
    np.testing.assert_allclose(found, expected, rtol=1e-4)
