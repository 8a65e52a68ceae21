"""Mutation testing of the numerical core: do the tests notice changed formulas?

``python -m benchmarks.mutation`` lets cosmic-ray change one operator, number or
condition of a module at a time, in a copy of the project, and runs the tests of that
module. It goes on where it was stopped, as long as the folder is there. What survives
is printed, and the shares of killed mutants are written as JSON lines.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import click
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import WorkerOutcome, WorkResult

from benchmarks.protocol import append_line
from benchmarks.run import environment

ROOT = Path(__file__).parents[1]
COPIED = ("vaeimpute", "benchmarks", "tests", "docs", "pyproject.toml", "README.md")

#: Modules with the tests that are theirs.
TESTS = {
    "_likelihoods": ("likelihoods",),
    "_vae": ("vae", "numpy_ops", "mixture", "transformer"),
    "_latent_posterior": ("latent_posterior", "vae"),
    "_latent_prior": ("latent_prior",),
    "_hidden_cells": ("model_selection",),
    "inference": ("inference",),
}
#: One change of each kind: of an operator into its opposite, and not into all others.
OPERATORS = re.compile(
    r"core/(AddNot|NumberReplacer|Replace(And|Or|True|False)With\w+"
    r"|ReplaceUnaryOperator_Delete_\w+|ZeroIterationForLoop"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Div|Pow_Mul"
    r"|BitAnd_BitOr|BitOr_BitAnd)"
    r"|ReplaceComparisonOperator_(Gt_GtE|GtE_Gt|Lt_LtE|LtE_Lt|Eq_NotEq|NotEq_Eq))"
)
CONFIG = """\
[cosmic-ray]
module-path = "vaeimpute/{module}.py"
timeout = 300.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"
distributor.name = "local"
"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--modules", default=",".join(TESTS), help="Only these, with commas.")
@click.option("--most", default=80, show_default=True, help="Mutants of a module.")
@click.option("--out", type=click.Path(path_type=Path), help="File of JSON lines.")
def main(folder: Path, modules: str, most: int, out: Path | None) -> None:
    """Make and test mutants in FOLDER, a new one or that of a run that was stopped."""
    for module in modules.split(","):
        copy, session = folder / module, folder / f"{module}.sqlite"
        if not session.exists():
            _prepare(module, copy, session, most)
        _cosmic_ray("exec", copy / "mutation.toml", session, cwd=copy)
        with use_db(session, WorkDB.Mode.open) as database:
            row = {"module": module, **_outcomes(database)}
        click.echo(f"{module}: {row['n_killed']} of {row['n_mutants']} killed")
        if out is not None:
            append_line(out, row | {"environment": environment()})


def _prepare(module: str, copy: Path, session: Path, most: int) -> None:
    """Copy the project, which the mutants are made of, and draw the mutants."""
    copy.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=_ENVIRONMENTS)
        else:
            shutil.copy(source, copy / name)
    tests = " ".join(f"tests/test_{name}.py" for name in TESTS[module])
    config = CONFIG.format(module=module, python=sys.executable, tests=tests)
    (copy / "mutation.toml").write_text(config, "utf-8")
    _cosmic_ray("baseline", copy / "mutation.toml", cwd=copy)
    unfinished = session.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _cosmic_ray("init", copy / "mutation.toml", unfinished, cwd=copy)
    with use_db(unfinished, WorkDB.Mode.open) as database:
        _skip_all_but(most, database)
    unfinished.rename(session)


_ENVIRONMENTS = shutil.ignore_patterns("environments", "__pycache__", "results")


def _skip_all_but(most: int, database: WorkDB) -> None:
    items = list(database.pending_work_items)
    usual = [
        item.job_id
        for item in items
        if all(OPERATORS.fullmatch(x.operator_name) for x in item.mutations)
    ]
    drawn = set(random.Random(0).sample(usual, min(most, len(usual))))
    skipped = WorkResult(worker_outcome=WorkerOutcome.SKIPPED)
    others = [item.job_id for item in items if item.job_id not in drawn]
    database.set_multiple_results(others, skipped)


def _outcomes(database: WorkDB) -> dict[str, object]:
    """Return how many mutants there were and died, and print those that did not."""
    mutants = {item.job_id: item for item in database.work_items}
    counts, survivors = Counter(), []
    for job_id, result in database.results:
        if result.worker_outcome is WorkerOutcome.SKIPPED:
            continue
        counts[result.is_killed] += 1
        if not result.is_killed:
            click.echo(result.diff)
            (mutation,) = mutants[job_id].mutations
            line = mutation.start_pos[0]
            survivors.append(f"{mutation.operator_name} in line {line}")
    return {
        "n_mutants": counts.total(),
        "n_killed": counts[True],
        "survivors": survivors,
    }


def _cosmic_ray(*arguments: object, cwd: Path) -> None:
    command = [sys.executable, "-m", "cosmic_ray.cli", *map(str, arguments)]
    subprocess.run(command, cwd=cwd, check=True)


if __name__ == "__main__":
    main()
