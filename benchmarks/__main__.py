"""Command line of the benchmark: ``python -m benchmarks --help``."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks import hardships, report, whole_tables
from benchmarks.isolation import build, environment_names, is_built
from benchmarks.methods import METHODS, method_named
from benchmarks.protocol import Limits
from benchmarks.run import RESULTS, run
from benchmarks.suites import SUITES
from benchmarks.uses import STUDIES

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Compare imputers on known cells of tables that are hidden from them."""


@main.command("run")
@click.option("--suite", type=click.Choice(list(SUITES)), default="quick")
@click.option("--methods", help="Only these, with commas between; default: all.")
@click.option("--datasets", help="Only these tables, with commas between.")
@click.option("--masks", help="Only these seeds, with commas between.")
@click.option("--data", type=FOLDER, help="Folder with <table>.parquet.")
@click.option("--out", type=FILE, help="Default: results/<suite>.jsonl.")
@click.option("--max-minutes", default=30.0, show_default=True, help="Of one case.")
@click.option("--max-gib", default=12.0, show_default=True, help="Memory of one case.")
def run_command(suite, methods, datasets, masks, data, out, max_minutes, max_gib):
    """Run the cases of a suite that have no result yet."""
    chosen = SUITES[suite]
    datasets = _listed(datasets) or chosen.datasets or _tables_of(data)
    masks = masks and tuple(map(int, _listed(masks)))
    cases = list(chosen.cases(_usable(_listed(methods), chosen), datasets, masks))
    limits = Limits(60 * max_minutes, max_gib)
    run(cases, chosen, out or RESULTS / f"{suite}.jsonl", data, limits)


def _listed(text: str | None) -> tuple[str, ...] | None:
    return tuple(text.split(",")) if text else None


def _tables_of(data: Path | None) -> tuple[str, ...]:
    if data is None:
        raise click.UsageError("--data: this suite needs a folder of tables")
    return tuple(sorted(path.stem for path in data.glob("*.parquet")))


def _usable(names: tuple[str, ...] | None, suite) -> tuple[str, ...]:
    """Return the methods whose environment is there, and say which are left out."""
    names = names or (*suite.methods, *suite.slow_methods)
    for name in names:
        if ":" not in name and name not in METHODS:
            raise click.UsageError(f"--methods: {name!r} is none of {list(METHODS)}")
    usable = [name for name in names if is_built(method_named(name).environment)]
    for name in sorted(set(names) - set(usable)):
        environment = method_named(name).environment
        click.echo(
            f"Left out: {name}, which needs `python -m benchmarks build {environment}`"
        )
    return tuple(usable)


@main.command("whole-tables")
@click.option("--data", type=FOLDER, required=True, help="Folder with <table>.parquet.")
@click.option("--tables", help="Only these, with commas between.")
@click.option("--out", type=FILE, help="Default: results/whole_tables.jsonl.")
def whole_tables_command(data, tables, out):
    """Fill the tables of a folder, whole, by our method."""
    out = out or RESULTS / f"{whole_tables.NAME}.jsonl"
    whole_tables.run(_files_of(data, tables), out)


@main.command("hardships")
@click.option("--data", type=FOLDER, required=True, help="Folder with <table>.parquet.")
@click.option("--tables", help="Only these, with commas between.")
@click.option("--out", type=FILE, help="Default: results/hardships.jsonl.")
def hardships_command(data, tables, out):
    """Fit the tables of a folder where little, or what depends, is left of them."""
    out = out or RESULTS / f"{hardships.NAME}.jsonl"
    whole_tables.run(_files_of(data, tables), out, fill=hardships.try_file)


def _files_of(folder, tables):
    """Return the files of a folder, or of those tables alone, smallest first."""
    paths = {path.stem: path for path in whole_tables.by_size(folder)}
    names = _listed(tables) or tuple(paths)
    if lacking := sorted(set(names) - set(paths)):
        raise click.UsageError(f"--tables: {lacking} are not in {folder}")
    return [path for name, path in paths.items() if name in names]


@main.command("study")
@click.argument("name", type=click.Choice(list(STUDIES)))
@click.option("--tables", help="Only these, with commas between.")
@click.option("--data", type=FOLDER, help="Folder with <table>.parquet.")
@click.option("--out", type=FILE, help="Default: results/<name>.jsonl.")
def study_command(name, tables, data, out):
    """Run what is left of a study of another use of the model."""
    STUDIES[name].run(out or RESULTS / f"{name}.jsonl", _listed(tables) or (), data)


@main.command("build")
@click.argument("names", nargs=-1, type=click.Choice(environment_names()))
def build_command(names):
    """Install the environments of rivals that need other versions; default: all."""
    for name in names or environment_names():
        click.echo(f"Building {name} ...")
        build(name)


@main.command("report")
@click.option(
    "--suite",
    type=click.Choice([*SUITES, whole_tables.NAME, hardships.NAME, *STUDIES]),
    required=True,
)
@click.option("--results", type=FILE, help="Default: results/<suite>.jsonl.")
def report_command(suite, results):
    """Write the results of a suite or study into its page in docs/, or show them.

    `quick` and `full`, which have no page, are shown.
    """
    results = results or RESULTS / f"{suite}.jsonl"
    if suite == whole_tables.NAME:
        report.write_whole_tables(results, DOCS / "tables.md")
    elif suite == hardships.NAME:
        report.write_hardships(results, DOCS / "reliability.md")
    elif suite in STUDIES:
        report.write_study(STUDIES[suite], results, DOCS / STUDIES[suite].page)
    elif suite in report.PUBLISHED:
        report.write(suite, results, DOCS / "benchmarks.md")
    else:
        click.echo(report.text_of(suite, results))


if __name__ == "__main__":
    main()
