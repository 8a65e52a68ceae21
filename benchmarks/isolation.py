"""Processes and environments of their own, with limits of time and memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: ``<name>.txt`` says what to install, the folder ``<name>`` is where it is installed.
ENVIRONMENTS = Path(__file__).parent / "environments"


def in_fresh_process(function: Callable, *arguments: Any) -> Any:
    """Call a function in a new process and return what it returns or raises."""
    # Forking would copy the state of this process, which is neither cold nor safe.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def environment_names() -> list[str]:
    """Return the names of the environments that can be built."""
    return sorted(path.stem for path in ENVIRONMENTS.glob("*.txt"))


def build(environment: str) -> None:
    """Install an environment anew, from its file."""
    folder = ENVIRONMENTS / environment
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    pip = [_python_in(folder), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", f"{folder}.txt"], check=True)


def is_built(environment: str | None) -> bool:
    return environment is None or python_of(environment).exists()


def python_of(environment: str | None) -> Path:
    """Return the interpreter of an environment; None is that of this process."""
    if environment is None:
        return Path(sys.executable)
    return _python_in(ENVIRONMENTS / environment)


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    environment: str | None,
    folder: Path,
    max_seconds: float,
) -> None:
    """Run a module of this repository in a folder, in a process of its own.

    Raises
    ------
    TimeoutError
        If it takes longer. It has been stopped then, with all that it started.
    RuntimeError
        If it fails; the message ends with the last line of its errors.
    """
    command = [python_of(environment), "-m", module, *arguments]
    # Before all else on the path, so that an environment needs no copy of this.
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    # HyperImpute's models come in the order of a set of names.
    variables = os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "0"}
    errors = folder / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            status = process.wait(max_seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"took more than {max_seconds:,.0f} s") from None
        finally:
            _stop_all(process)
    if status:
        lines = errors.read_text(errors="replace").strip().splitlines() or [""]
        raise RuntimeError(f"ended with status {status}: {lines[-1]}")


def _stop_all(process: subprocess.Popen) -> None:
    """Stop a process that leads a group, and what is left of its group."""
    if os.name == "nt":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # all have ended
            pass
    process.wait()
