"""Fill the missing fields of files from the command line.

``vaeimpute impute IN -o OUT`` reads a table, lets `VAEImputer` fill it and writes it
again with the missing fields filled and all others untouched. ``vaeimpute compare IN``
says how well that would go, and whether something simpler does as well; ``vaeimpute
report IN -o OUT`` makes a page of that and of all else there is to know.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
import pandas as pd
from pandas.api import types

from vaeimpute import __version__
from vaeimpute._command_files import CommandFile, output_of

if TYPE_CHECKING:
    from vaeimpute._files import Table
    from vaeimpute.report import Report

# What the imputer calls its parameters in messages, and users of this program not.
_OPTION_OF_PARAMETER = {
    "categorical_features": "--categorical",
    "discrete_features": "--discrete",
    'text_features="passthrough"': "--text passthrough",
    "min_value": "--min-value",
    "max_value": "--max-value",
}
# What keeps a column from being numbers or dates, and what to do about it.
_DOUBTS = {
    "mark": "if its decimal mark is another one, --decimal changes it",
    "date": "of dates, forms like 1990-05-31, 1990/05/31 and 31.05.1990 are known",
    "word": "if that marks a missing field, add --missing {!r}",
}


def main() -> None:
    """Run the program ``vaeimpute``."""
    # TensorFlow reads this when it is imported; it is the program's own process.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Ends like Ctrl-C: what is half written is removed. 143 is what shells expect.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    commands()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vaeimpute")
def commands() -> None:
    """Fill the missing cells of tables with a variational autoencoder."""


def _delimiter(ctx: click.Context, param: click.Parameter, text: str | None) -> Any:
    delimiter = "\t" if text == r"\t" else text
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise click.BadParameter(
            f"got {text!r}, expected one character, or \\t for tab"
        )
    return delimiter


def _encoding(ctx: click.Context, param: click.Parameter, name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise click.BadParameter(f"got {name!r}, expected an encoding's name") from None
    return name


# Options of several commands.
_seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="The same seed gives the same answer.",
)
_max_iter_option = click.option(
    "--max-iter", type=click.IntRange(1), help="Passes over the rows, at most."
)
_categorical_option = click.option(
    "--categorical",
    multiple=True,
    metavar="COLUMNS",
    help="Columns whose numbers are names, comma separated.",
)
_missing_option = click.option(
    "--missing",
    multiple=True,
    metavar="TEXT",
    help="A further text that marks a missing field.",
)
_format_option = click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "tsv", "parquet"]),
    help="Format where no ending says it. [default: csv]",
)
_delimiter_option = click.option(
    "--delimiter",
    callback=_delimiter,
    help="What stands between fields. [default: , or tab]",
)
_decimal_option = click.option(
    "--decimal",
    type=click.Choice([".", ","]),
    default=".",
    show_default=True,
    help="What stands before the decimals of numbers.",
)
_encoding_option = click.option(
    "--encoding",
    callback=_encoding,
    default="utf-8",
    show_default=True,
    help="Encoding of text files.",
)


def _trial_options(command: Callable) -> Callable:
    """Add the options of commands that hide fields of a table."""
    fraction = click.option(
        "--fraction",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.1,
        show_default=True,
        help="Share of the observed fields of each column to hide.",
    )
    repeats = click.option(
        "--repeats",
        type=click.IntRange(1),
        default=3,
        show_default=True,
        help="How often to hide fields and fit.",
    )
    of_table = (_format_option, _delimiter_option, _decimal_option, _encoding_option)
    of_fit = (_seed_option, _max_iter_option, _categorical_option, _missing_option)
    for option in reversed((fraction, repeats, *of_fit, *of_table)):
        command = option(command)
    return command


@commands.command()
@click.argument("source", metavar="IN")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="File to write, - for standard output. [default: -, if IN is -]",
)
@_seed_option
@_max_iter_option
@_categorical_option
@click.option(
    "--discrete",
    multiple=True,
    metavar="COLUMNS",
    help="Columns of whole numbers, even as 1.0, comma separated.",
)
@click.option(
    "--min-value",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Smallest number or earliest date to fill in.",
)
@click.option(
    "--max-value",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Largest number or latest date to fill in.",
)
@_missing_option
@click.option(
    "--text",
    type=click.Choice(["passthrough", "error"]),
    default="passthrough",
    show_default=True,
    help="What to do with columns of free text.",
)
@_format_option
@_delimiter_option
@_decimal_option
@_encoding_option
@click.option("--overwrite", is_flag=True, help="Let OUT be the same file as IN.")
@click.option("-v", "--verbose", is_flag=True, help="Show progress.")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only.")
def impute(
    source: str,
    output: str | None,
    file_format: str | None,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Fill the missing fields of the table IN and write OUT.

    IN and OUT are CSV, TSV or Parquet files, by their endings; - is standard input or
    output. Fields that are not missing are written as they were read.
    """
    start = time.perf_counter()
    with _errors_in_one_line():
        file = CommandFile.of(source, file_format)
        target = output_of(file, output, file_format, overwrite)
        table, counts = _fill(_read(file, options), options)
        target.write_table(table, options["encoding"], options["delimiter"])
    if not quiet:
        _say(_summary(counts, time.perf_counter() - start))


@commands.command()
@click.argument("source", metavar="IN")
@_trial_options
def compare(
    source: str,
    file_format: str | None,
    **options: Any,
) -> None:
    """Say whether something simpler fills the table IN as well.

    Hides fields of IN that are observed, and compares how four imputers fill them: the
    column's mean or most frequent level, the nearest rows, regressions and the
    autoencoder. IN is a CSV, TSV or Parquet file, by its ending; - is standard input.
    """
    with _errors_in_one_line():
        table = _read(CommandFile.of(source, file_format), options)
        click.echo(_compared(table, options))


@commands.command()
@click.argument("source", metavar="IN")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    help="HTML file to write, - for standard output.",
)
@click.option(
    "--max-rows",
    type=click.IntRange(2),
    default=10_000,
    show_default=True,
    help="Rows to draw for all that takes a fit, at most.",
)
@_trial_options
@click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only.")
def report(
    source: str,
    output: str,
    file_format: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Make a page of what the table IN lacks and how well it can be filled.

    OUT is one HTML file that needs no other: what is missing, errors in fields that
    were hidden, what would be filled in, fields to look at, and what to do. IN is a
    CSV, TSV or Parquet file, by its ending; - is standard input.
    """
    with _errors_in_one_line():
        file = CommandFile.of(source, file_format)
        target = CommandFile(output, "html")
        target.check_writable(file)
        made = _reported(_read(file, options), file, options)
        target.write(made.html.encode())
    if not quiet:
        _say(f"{made.verdict.headline}.")


def _read(file: CommandFile, options: dict[str, Any]) -> Table:
    of_text = {x: options[x] for x in ("encoding", "delimiter", "decimal")}
    return file.read_table(missing_texts=options["missing"], **of_text)


def _fill(table: Table, options: dict[str, Any]) -> tuple[Table, pd.Series]:
    """Return the table with cells filled, and how many of each column were."""
    categorical = _columns(options["categorical"], table, "--categorical")
    table = table.with_words(categorical)
    frame = table.frame()
    some = frame.loc[:, frame.notna().any()]
    parameters = _parameters(options, categorical, table, some)
    missing = some.isna()
    _warn_of_columns(table, frame, some)
    if not missing.any(axis=None):
        return table, missing.sum()
    filled = _fill_frame(some, parameters)
    counts = (missing & filled.notna()).sum()
    for name in some.columns[missing.sum() > counts]:
        _say(f"Warning: column {name!r} holds free text; what is missing stays so.")
    return table.filled(filled.loc[:, counts > 0]), counts


def _fill_frame(frame: pd.DataFrame, parameters: dict[str, Any]) -> pd.DataFrame:
    from vaeimpute._imputer import VAEImputer

    with _warnings_as_lines(parameters["verbose"]):
        return VAEImputer(**parameters).fit_transform(frame)


def _compared(table: Table, options: dict[str, Any]) -> str:
    """Return what the imputers err in hidden fields of a table, and an advice."""
    from vaeimpute.comparison import compare_imputers, default_imputers

    frame, categorical = _frame(table, options)
    some = frame.loc[:, frame.notna().any()]
    nominal = {"categorical_features": [x for x in categorical if x in some]}
    imputers = default_imputers(random_state=options["seed"], **nominal)
    if options["max_iter"] is not None:
        imputers["vae"].set_params(max_iter=options["max_iter"])
    with _warnings_as_lines(verbose=False):
        comparison = compare_imputers(
            some,
            imputers,
            fraction=options["fraction"],
            n_repeats=options["repeats"],
            random_state=options["seed"],
            **nominal,
        )
    return str(comparison)


def _reported(table: Table, file: CommandFile, options: dict[str, Any]) -> Report:
    """Return the report on a table, whose rows are counted from 1."""
    from vaeimpute._imputer import VAEImputer
    from vaeimpute.report import report

    frame, categorical = _frame(table, options)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    imputer = VAEImputer(text_features="passthrough", categorical_features=categorical)
    if options["max_iter"] is not None:
        imputer.set_params(max_iter=options["max_iter"])
    of = "" if file.is_standard else f" in {Path(file.path).name}"
    with _warnings_as_lines(verbose=False):
        return report(
            frame,
            imputer,
            fraction=options["fraction"],
            n_repeats=options["repeats"],
            max_rows=options["max_rows"],
            title=f"Missing data{of}",
            random_state=options["seed"],
        )


def _frame(table: Table, options: dict[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Return a table's values, and the columns whose numbers are names."""
    categorical = _columns(options["categorical"], table, "--categorical")
    table = table.with_words(categorical)
    frame = table.frame()
    _warn_of_columns(table, frame, frame.loc[:, frame.notna().any()])
    return frame, categorical


@contextmanager
def _warnings_as_lines(verbose: bool) -> Iterator[None]:
    """Say what Python warns of, once each; keep standard output for the answer."""
    with (
        warnings.catch_warnings(record=True) as caught,
        redirect_stdout(sys.stderr),  # progress
        _no_chatter(verbose),
    ):
        warnings.simplefilter("default")
        yield
    for message in {
        _in_one_line(x.message): None
        for x in caught
        if not issubclass(x.category, (DeprecationWarning, FutureWarning))
    }:
        _say(f"Warning: {message}")


@contextmanager
def _no_chatter(verbose: bool) -> Iterator[None]:
    """Drop what TensorFlow's C++ code says to standard error, past `sys.stderr`."""
    if verbose or sys.stderr is None:
        yield
        return
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _warn_of_columns(table: Table, frame: pd.DataFrame, some: pd.DataFrame) -> None:
    empty = frame.columns.difference(some.columns, sort=False)
    if len(empty) == len(table.names):
        raise ValueError("no column has an observed field to learn from")
    for name in empty:
        _say(f"Warning: column {name!r} has no observed field and stays empty.")
    for name, (doubt, field) in table.doubts.items():
        advice = _DOUBTS[doubt].format(field)
        _say(
            f"Warning: column {name!r} is read as text because of {field!r}; {advice}."
        )


def _parameters(
    options: dict[str, Any],
    categorical: Sequence[str],
    table: Table,
    frame: pd.DataFrame,
) -> dict[str, Any]:
    """Return the parameters of the imputer."""
    discrete = _columns(options["discrete"], table, "--discrete")
    parameters = {
        "categorical_features": [x for x in categorical if x in frame],
        "discrete_features": [x for x in discrete if x in frame],
        "min_value": _bounds(options["min_value"], "--min-value", table, frame),
        "max_value": _bounds(options["max_value"], "--max-value", table, frame),
        "max_iter": options["max_iter"],
    }
    return {
        "text_features": options["text"],
        "verbose": int(options["verbose"]),
        "random_state": options["seed"],
        **{name: value for name, value in parameters.items() if value},
    }


def _columns(entries: Sequence[str], table: Table, option: str) -> list[str]:
    """Return the columns that an option's entries list, one or more each."""
    parts = [[x] if x in table.names else x.split(",") for x in entries]
    columns = [name for part in parts for name in part]
    for name in columns:
        _check_column(name, table, option)
    return columns


def _check_column(name: str, table: Table, option: str) -> None:
    if name not in table.names:
        known = ", ".join(map(repr, table.names))
        _refuse(option, f"there is no column {name!r}, only {known}")


def _bounds(
    entries: Sequence[str], option: str, table: Table, frame: pd.DataFrame
) -> dict[str, float | str]:
    bounds = {}
    for entry in entries:
        name, equals, text = entry.rpartition("=")
        if not equals:
            _refuse(option, f"got {entry!r}, expected COLUMN=VALUE")
        _check_column(name, table, option)
        if name not in frame:  # an empty column, which stays empty
            continue
        dtype = frame[name].dtype
        if types.is_bool_dtype(dtype) or not (
            types.is_numeric_dtype(dtype) or _is_time(dtype)
        ):
            _refuse(option, f"column {name!r} holds neither numbers nor dates")
        bounds[name] = text
        if types.is_numeric_dtype(dtype):
            bounds[name] = _numeric_bound(text, option, table.decimals.get(name))
    return bounds


def _is_time(dtype: Any) -> bool:
    # The other kinds of pyarrow's that are read as such are numbers and booleans.
    return dtype.kind in "mM" or isinstance(dtype, pd.ArrowDtype)


def _numeric_bound(text: str, option: str, n_decimals: int | None) -> float:
    """Return a bound, moved inwards to what n_decimals can say."""
    try:
        bound = Decimal(text)
        if n_decimals is not None and -bound.as_tuple().exponent > n_decimals:
            inwards = ROUND_CEILING if option == "--min-value" else ROUND_FLOOR
            bound = bound.quantize(Decimal(1).scaleb(-n_decimals), inwards)
    except (InvalidOperation, TypeError):  # no number, or not a finite one
        _refuse(option, f"got {text!r}, expected a number")
    return float(bound)


def _refuse(option: str, message: str) -> NoReturn:
    raise click.BadParameter(message, param_hint=f"'{option}'")


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except (click.ClickException, BrokenPipeError):
        raise
    except OSError as error:
        if not error.filename:
            raise click.ClickException(_in_one_line(error)) from error
        message = f"{error.filename!r}: {error.strerror}"
        raise click.ClickException(message) from error
    except (ValueError, TypeError, ImportError) as error:
        raise click.ClickException(_in_one_line(error)) from error
    except Exception as error:  # not foreseen, so its name says something
        message = f"{type(error).__name__}: {_in_one_line(error)}"
        raise click.ClickException(message) from error


def _in_one_line(message: object) -> str:
    text = " ".join(str(message).split())
    for parameter, option in _OPTION_OF_PARAMETER.items():
        text = text.replace(parameter, option)
    return text


def _summary(counts: pd.Series, seconds: float) -> str:
    n_fields, n_columns = counts.sum(), (counts > 0).sum()
    if n_fields == 0:
        return "Nothing was filled: OUT says what IN says."
    fields = "1 field" if n_fields == 1 else f"{n_fields:,} fields"
    columns = "1 column" if n_columns == 1 else f"{n_columns} columns"
    return f"Filled {fields} in {columns} in {seconds:.1f} s."


def _say(message: str) -> None:
    click.echo(message, err=True)
