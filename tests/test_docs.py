"""The pages of the docs: their code runs, and what they name exists."""

import inspect
import re
import shlex
import textwrap
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import sklearn.impute

from benchmarks.__main__ import main as benchmarks
from vaeimpute import VAEImputer, cli, inference
from vaeimpute._base import BaseVAE
from vaeimpute.comparison import default_imputers
from vaeimpute.datasets import load_penguins
from vaeimpute.streaming import fit_dataset

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"),
        *sorted(ROOT.joinpath("docs").glob("*.md")),
    ]
}
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)

# Titles of the page on large tables whose code other tests run, in order: Dask, Ray and
# Spark need workers, and Ray and Spark are installed by `make test-engines` alone.
RUN_BY_OTHERS = {
    "Tables larger than memory": "test_streaming.py",
    "Dask": "test_dask.py",
    "Ray": "test_engines.py",
    "Spark": "test_engines.py",
}
LARGE_TABLES = "docs/large_tables.md"


def blocks(page, *languages):
    """Return the fenced blocks of a page in some languages."""
    found = FENCE.findall(PAGES[page])
    return [textwrap.dedent(code) for _, kind, code in found if kind in languages]


def prose(page):
    """Return a page without its fenced blocks."""
    return FENCE.sub("", PAGES[page])


def tables(text):
    """Return the rows of the tables of a text, without their headers, as cells."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    split = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    rows = [[cell.strip() for cell in cells] for cells in split]
    rules = [k for k, cells in enumerate(rows) if re.fullmatch(r"[-: ]+", cells[0])]
    return [cells for k, cells in enumerate(rows) if not {k, k + 1} & set(rules)]


# Python


# The first page, and the one that shows how training went.
TRAINED = {"docs/index.md", "docs/pictures.md"}


@pytest.fixture
def train(request, monkeypatch):
    """Leave out networks, whose training takes most of the time, but on some pages."""
    if request.node.callspec.params["page"] not in TRAINED:
        monkeypatch.setattr(BaseVAE, "_hidden_layer_sizes", lambda self: ())


@pytest.mark.slow
@pytest.mark.usefixtures("train")
@pytest.mark.parametrize(
    "page", [x for x in PAGES if blocks(x, "python") and x != LARGE_TABLES]
)
def test_code_runs_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "page", "df": load_penguins()}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), space)
    filled = [x for name, x in space.items() if name == "filled"]
    for table in filled:
        assert isinstance(table, pd.DataFrame)
        assert not table.isna().any(axis=None)


def test_large_tables_are_run_by_others():
    parts = re.split(r"^#+ (.*)$", PAGES[LARGE_TABLES], flags=re.MULTILINE)
    with_code = [
        title
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
        if "```python" in text
    ]
    assert with_code == list(RUN_BY_OTHERS)
    for title, file in RUN_BY_OTHERS.items():
        code = Path(__file__).with_name(file).read_text(encoding="utf-8")
        assert f'run_recipe("{title}")' in code


# Commands


def options_of(command):
    return {name for option in command.params for name in option.opts}


def check_click(group, arguments):
    """Assert that a program has the command and the options that a line gives it."""
    name, *rest = arguments
    if name.startswith("-"):
        assert name in {"--version", "--help", "-h"}
        return
    assert name in group.commands
    given = {x.partition("=")[0] for x in rest if re.match("--?[a-z]", x)}
    assert given <= options_of(group.commands[name])


def check_make(arguments):
    makefile = ROOT.joinpath("Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {x for x in arguments if "=" not in x} <= targets


def check_pip(arguments):
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))
    known = project["project"]["optional-dependencies"]
    verb, package = arguments
    extras = re.fullmatch(r"(\.|vaeimpute)(?:\[(.*)\])?", package)[2]
    assert verb == "install"
    assert set((extras or "").split(",")) - {""} <= set(known)


def check_python(arguments):
    if arguments[0] == "-c":
        exec(compile(arguments[1], "command", "exec"), {})
        return
    assert arguments[0] == "-m"
    module, *rest = arguments[1:]
    if module == "benchmarks":
        check_click(benchmarks, rest)
    else:
        assert module.partition(".")[0] in ("vaeimpute", "benchmarks", "sphinx")
        assert find_spec(module)


CHECKS = {
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "vaeimpute": lambda arguments: check_click(cli.commands, arguments),
}


def command_lines(page):
    """Return the lines of a page that are typed into a terminal."""
    text = "".join(blocks(page, "console", "")).replace("\\\n", " ")
    typed = [line.removeprefix("$ ").partition(" #")[0] for line in text.splitlines()]
    inline = re.findall(r"`((?:make|pip install|python -m) [^`]+)`", prose(page))
    indented = re.findall(r"^    (python -m .*)$", prose(page), re.MULTILINE)
    return [*filter(None, typed), *(" ".join(x.split()) for x in inline), *indented]


@pytest.mark.parametrize("page", [page for page in PAGES if command_lines(page)])
def test_commands_exist(page):
    for line in command_lines(page):
        words = shlex.split(line.partition("<")[0])
        while "=" in words[0]:  # VARIABLE=value before the program
            words.pop(0)
        program, *arguments = words
        if "/" in program:
            assert ROOT.joinpath(program).is_file() or program.startswith(".venv/")
        elif "NAME" not in arguments:
            CHECKS[program](arguments)


# Names


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    folder = (ROOT / page).parent
    text = prose(page)
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)", text)
    made = {"auto_examples/index.rst", "docs/_build/html"}  # with the site
    files = re.findall(r"`((?:docs|benchmarks|tests)/[\w./-]*|[A-Z]+\.md)`", text)
    missing = [x for x in links if not (folder / x).exists() and x not in made]
    missing += [x for x in files if not (ROOT / x).exists() and x not in made]
    assert not missing


def test_readme_links_the_pages():
    assert len(re.findall(r"`docs/\w+\.md`", PAGES["README.md"])) > 8


def test_code_that_symbols_name_exists():
    package = "\n".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("vaeimpute/*.py")
    )
    known = set(re.findall(r"[A-Za-z_]\w*", package))
    symbols = PAGES["docs/theory.md"].partition("## Likelihoods")[0]
    code = [span for row in tables(symbols) for span in re.findall("`(.*?)`", row[-1])]
    assert len(code) > 25
    named = {name for span in code for name in re.findall(r"[A-Za-z_]\w*", span)}
    assert not named - known


def parts_of_coming_from():
    text = prose("docs/coming_from.md")
    parts = re.split(r"^## .*?: (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(tables, parts[2::2]), strict=True))


@pytest.mark.parametrize("name", ["SimpleImputer", "KNNImputer", "IterativeImputer"])
def test_every_parameter_of_scikit_learn_is_translated(name):
    default_imputers()  # imports what older scikit-learn needs for IterativeImputer
    rows = parts_of_coming_from()[name]
    named = [span for row in rows for span in re.findall("`(.*?)`", row[0])]
    assert sorted(named) == sorted(getattr(sklearn.impute, name)().get_params())


def test_translations_exist_here():
    known = {"VAEImputer", "GridSearchCV", "validation_scores_", "compare_imputers"}
    known |= {"by_column", "metrics", "nrmse", "accuracy", "hidden_cell_score"}
    known |= set(dir(VAEImputer)) | set(VAEImputer().get_params())
    for function in (VAEImputer.impute_multiple, inference.pool, fit_dataset):
        known |= {function.__name__, *inspect.signature(function).parameters}
    known |= {"Pooled", *dir(inference.Pooled)}
    spans = {
        span
        for rows in parts_of_coming_from().values()
        for row in rows
        for span in re.findall("`(.*?)`", row[1])
    }
    named = {name for span in spans for name in re.findall(r"[A-Za-z]\w+", span)}
    assert len(named) > 20
    assert not named - known - {"new"}  # a table of one's own
