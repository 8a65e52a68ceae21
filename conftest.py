"""What all tests share, the examples in docstrings included."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what was drawn: matplotlib warns of more than twenty open figures."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
