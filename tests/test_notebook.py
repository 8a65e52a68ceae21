"""Manners in a notebook: links, progress, and no noise from TensorFlow."""

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import types
from email.message import Message

import numpy as np
import pytest

import vaeimpute
import vaeimpute._progress
from vaeimpute import VAEClassifier, VAEImputer, VAETransformer
from vaeimpute._notebook import Display, is_notebook, without_start_up_noise
from vaeimpute._progress import Bar

ESTIMATORS = [VAEImputer, VAETransformer, VAEClassifier]
#: Networks on a few rows, as a first cell might fit them.
FIT = """
import numpy as np
from vaeimpute import VAEImputer
X = np.random.default_rng(0).normal(size=(60, 3))
X[:9, 0] = np.nan
VAEImputer(n_components=1, hidden_layer_sizes=(4,), n_networks=1, max_iter=2,
           random_state=0, verbose=1).fit(X)
"""


# Links to the documentation


def with_urls(monkeypatch, *urls):
    """Let the installed package have these addresses."""
    message = Message()
    for url in urls:
        message["Project-URL"] = url
    monkeypatch.setattr("vaeimpute._base.metadata", lambda name: message)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_link_without_an_address(monkeypatch, estimator):
    with_urls(monkeypatch, "Source, https://code.example")
    html = estimator()._repr_html_()
    assert estimator.__name__ in html
    # scikit-learn's own pages know nothing of it.
    assert f"vaeimpute.{estimator.__name__}.html" not in html
    assert estimator()._get_doc_link() == ""


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_link_to_the_documentation(monkeypatch, estimator):
    with_urls(monkeypatch, "Documentation, https://docs.example/stable/")
    link = f"https://docs.example/stable/generated/vaeimpute.{estimator.__name__}.html"
    assert estimator()._get_doc_link() == link
    assert f'href="{link}' in estimator()._repr_html_()


def test_no_link_without_installation(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("vaeimpute._base.metadata", missing)
    assert VAEImputer()._get_doc_link() == ""


# Progress


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self):
        return True


class Output:
    """What a notebook shows: stands in for IPython's display."""

    def __init__(self):
        self.contents = []

    def display(self, content, raw, display_id):
        assert raw
        assert display_id
        self.contents.append(content)
        return self

    def update(self, content, raw):
        assert raw
        self.contents[-1] = content


@pytest.fixture
def notebook(monkeypatch):
    """Make this process a notebook's kernel, as far as can be seen."""
    output, ipython = Output(), types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    shown = types.ModuleType("IPython.display")
    shown.display = output.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return output


def run(bar, n=3):
    for epoch in range(1, n + 1):
        bar.show(epoch, n, f"loss {1 / epoch:.1f}")
    bar.close()


def test_terminal_overwrites_one_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    run(Bar("fit"))
    written = terminal.getvalue()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    *_, last = written[:-1].split("\r")
    assert last.startswith(f"[{'#' * 24}] fit: epoch 3 of 3, loss 0.3")


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
def test_line_fits_into_the_terminal(monkeypatch, columns):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    bar = Bar("VAEImputer")
    bar.show(999, 1000, "loss 12.345, score 0.678")
    line = terminal.getvalue()
    assert line[0] == "\r"
    assert len(line) <= columns
    assert line.endswith("0 s") == (columns > 60)
    assert ("#" in line) == (columns > 60)


def test_shorter_line_leaves_nothing_of_a_longer_one(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    bar = Bar("fit")
    bar.show(1, 3, "long words " * 5)
    bar.show(2, 3, "short")
    _, long, short = terminal.getvalue().split("\r")
    assert len(short) >= len(long)
    assert "long" not in short


def test_pipe_gets_the_last_line_only(capsys):
    run(Bar("fit"), n=1000)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fit: epoch 1,000 of 1,000, loss 0.0")


def test_pipe_gets_a_line_each_half_minute(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(vaeimpute._progress.time, "perf_counter", lambda: now[0])
    bar = Bar("fit")
    for epoch in range(1, 11):
        now[0] += 16
        bar.show(epoch, 10, "x")
    bar.close()
    told = re.findall(r"epoch (\d+)", capsys.readouterr().out)
    assert told == ["2", "4", "6", "8", "10"]


def test_bar_without_a_check_says_nothing(capsys):
    Bar("fit").close()
    assert capsys.readouterr().out == ""


def test_notebook_shows_one_bar(notebook, capsys):
    run(Bar("a <b>"))
    assert capsys.readouterr().out == ""
    [content] = notebook.contents
    assert '<progress value="1.000"' in content["text/html"]
    assert "a &lt;b&gt;: epoch 3 of 3" in content["text/html"]
    assert content["text/plain"].startswith("a <b>: epoch 3 of 3")


def test_displays_are_apart(notebook):
    for text in ("one", "two"):
        display = Display()
        display.show("", "first")
        display.show("", text)
    assert [x["text/plain"] for x in notebook.contents] == ["one", "two"]


def test_line_ends_where_a_fit_fails(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(VAEImputer, "_fit_indicator", lambda *arguments: 1 / 0)
    imputer = VAEImputer(n_components=1, hidden_layer_sizes=(), verbose=1)
    with pytest.raises(ZeroDivisionError):
        imputer.fit(np.eye(4))
    assert terminal.getvalue() == ""  # nothing was shown yet
    assert not hasattr(imputer, "n_iter_")


# Noise


def test_this_is_no_notebook():
    assert not is_notebook()


@pytest.mark.parametrize("is_in_notebook", [True, False])
def test_noise_is_dropped_in_notebooks_only(
    request, monkeypatch, capfd, is_in_notebook
):
    if is_in_notebook:
        request.getfixturevalue("notebook")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    lines = [
        b"WARNING: All log messages before absl::InitializeLog() is called ...\n",
        b"I0000 00:00:1.5 1 port.cc:153] oneDNN custom operations are on.\n",
        b"To enable the following instructions: AVX2, rebuild TensorFlow.\n",
        b"2024-01-01 10:00:00.5: I tensorflow/core/util/port.cc:153] oneDNN\n",
        b"E0000 00:00:1.5 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: "
        b"CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)\n",
    ]
    told = [
        b"W0000 00:00:1.5 1 gpu_device.cc:1] this GPU is too old\n",
        b"E0000 00:00:1.5 1 cuda_platform.cc:52] failed call to cuInit: no memory\n",
        b"what another thread says\n",
    ]
    with without_start_up_noise() as is_quiet:
        assert is_quiet is is_in_notebook
        for line in lines + told:
            os.write(2, line)
    os.write(2, b"after\n")
    expected = told if is_in_notebook else lines + told
    assert capfd.readouterr().err.encode() == b"".join([*expected, b"after\n"])


def test_nothing_is_lost_if_the_start_fails(notebook, monkeypatch, capfd):
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    def start():
        with without_start_up_noise():
            os.write(2, b"what went wrong\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "what went wrong\nafter\n"


def test_noise_is_left_once_keras_is_imported(notebook, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "keras", types.ModuleType("keras"))
    with without_start_up_noise() as is_quiet:
        assert not is_quiet
        os.write(2, b"I0000 told\n")
    assert capfd.readouterr().err == "I0000 told\n"


@pytest.mark.slow
def test_first_fit_in_a_kernel():
    """A real kernel: nothing on standard error, and one bar."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    root = os.path.dirname(os.path.dirname(vaeimpute.__file__))
    environment = {**os.environ, "PYTHONPATH": root}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    kernel, client = manager.start_new_kernel(
        kernel_name="python3", env=environment, stdout=subprocess.DEVNULL
    )
    try:
        code, messages = FIT, []
        reply = client.execute_interactive(
            code, timeout=300, output_hook=messages.append
        )
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok", reply["content"]
    assert [x["content"] for x in messages if x["msg_type"] == "stream"] == []
    [bar] = [x["content"] for x in messages if x["msg_type"] == "display_data"]
    assert "VAEImputer: epoch" in bar["data"]["text/html"]
