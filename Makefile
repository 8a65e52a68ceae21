# Every target works in a fresh clone: the environment `.venv` is made on first
# use, and again only after pyproject.toml has changed.

PYTHON ?= python3
ARGS ?=
BACKENDS ?= tensorflow jax torch
WORKERS ?= 2
SECONDS ?= 60
# Interpreters, each with the oldest or the newest packages that pyproject.toml allows.
MATRIX ?= python3.11:lowest-direct python3.11:highest python3.12:highest \
  python3.13:highest
# What trains, and each estimator; `make test` has the rest.
BACKEND_TESTS := $(addprefix tests/test_,engine.py backends.py known_answers.py \
  training.py imputer.py transformer.py supervised.py generation.py)

VENV := .venv
BIN := $(VENV)/bin
# -qq: pip reports nothing but errors.
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-backends test-engines test-matrix fuzz audit lint \
  format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PYTHON=python3.12 chooses the interpreter that .venv is made with;"
	@echo "ARGS goes to the demo or to pytest: make test ARGS='-k datasets -x';"
	@echo "BACKENDS='jax torch' chooses those of make test-backends,"
	@echo "MATRIX='python3.12:highest' one of make test-matrix; WORKERS=1 is no parallel run."

demo: $(VENV)/.installed-plot ## fill the Palmer penguins; results in demo-output/
	@mkdir -p demo-output
	@# TensorFlow logs its start-up to stderr; shown only if the demo fails.
	@$(BIN)/python docs/examples/demo.py $(ARGS) 2> demo-output/stderr.log \
	  || { cat demo-output/stderr.log >&2; exit 1; }

docs: $(VENV)/.installed-docs ## make the site with its examples; in docs/_build/html
	@echo "Running the examples and writing the pages (about two minutes) ..."
	@mkdir -p docs/_build
	@# As for the demo: what TensorFlow logs is shown only with what went wrong.
	@$(BIN)/python -m sphinx -W --keep-going -q -d docs/_build/doctrees $(ARGS) \
	  docs docs/_build/html 2> docs/_build/stderr.log \
	  || { cat docs/_build/stderr.log >&2; exit 1; }
	@echo "The site begins at docs/_build/html/index.html"

# Threads of OpenMP that wait would take the cores from the other process.
test: $(VENV)/.installed-dev ## run the tests and the docstring examples
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-backends: $(VENV)/.installed-backends ## run what depends on Keras' backend on each
	set -e; for backend in $(BACKENDS); do \
	  echo "KERAS_BACKEND=$$backend"; \
	  KERAS_BACKEND=$$backend $(BIN)/python -m pytest $(BACKEND_TESTS) $(ARGS); \
	done

test-engines: $(VENV)/.installed-engines ## run the recipes for Ray and Spark (Java 17)
	$(BIN)/python -m pytest tests/test_engines.py $(ARGS)

# Old packages warn of what has been replaced since, which nobody can mend.
test-matrix: $(VENV)/.installed-dev ## run the tests on old and new Python and packages
	set -e; for entry in $(MATRIX); do \
	  python=$${entry%%:*} resolution=$${entry#*:}; \
	  export VIRTUAL_ENV=$(CURDIR)/$(VENV)/matrix/$$python-$$resolution; \
	  echo "$$python with the packages of --resolution $$resolution"; \
	  $(BIN)/uv venv -q --clear --no-python-downloads -p $$python "$$VIRTUAL_ENV"; \
	  $(BIN)/uv pip install -q --resolution $$resolution -e '.[dev]'; \
	  "$$VIRTUAL_ENV/bin/python" -m pytest -n $(WORKERS) --dist worksteal \
	    -W ignore::DeprecationWarning $(ARGS); \
	done

fuzz: $(VENV)/.installed-dev ## draw files for the readers; SECONDS=60 for each
	$(BIN)/python -m pip install -qq 'atheris>=2.3'
	$(BIN)/python tests/fuzz_files.py saved -max_total_time=$(SECONDS)
	$(BIN)/python tests/fuzz_files.py csv -max_total_time=$(SECONDS)

audit: $(VENV)/.installed-dev ## look for known vulnerabilities of what is installed
	$(BIN)/python -m pip install -qq pip-audit
	$(BIN)/pip-audit --skip-editable

lint: $(VENV)/.installed-dev ## check style and formatting, changing nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.installed-dev ## mend style and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove .venv, caches and everything made by the other targets
	rm -rf $(VENV) demo-output build dist .coverage htmlcov
	rm -rf .pytest_cache .ruff_cache
	rm -rf docs/_build docs/auto_examples docs/generated
	find vaeimpute tests docs -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "vaeimpute needs Python 3.11 or newer, and '$(PYTHON)' is not."; \
	  echo "Name another one, such as: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Making the environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "'$(PYTHON) -m venv' failed; try another Python: make PYTHON=..."; exit 1; }

$(VENV)/.installed-plot: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing vaeimpute into $(VENV) (TensorFlow is large: some minutes) ..."
	@$(INSTALL) -e '.[plot]'
	@touch $@

$(VENV)/.installed-docs: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing vaeimpute and Sphinx into $(VENV) (some minutes) ..."
	@$(INSTALL) -e '.[docs]'
	@touch $@ $(VENV)/.installed-plot

# The extra `dev` contains `plot` and `docs`, so that neither the demo nor the site needs
# a second installation.
$(VENV)/.installed-dev: pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing vaeimpute and its test tools into $(VENV) (some minutes) ..."
	@$(INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed-plot $(VENV)/.installed-docs

# Ray and Spark are large: only `make test-engines` needs them.
$(VENV)/.installed-engines: $(VENV)/.installed-dev
	@$(INSTALL) -e '.[dev,engines]'
	@touch $@

# PyTorch is large: only `make test-backends` needs it.
$(VENV)/.installed-backends: $(VENV)/.installed-dev
	@$(INSTALL) -e '.[dev,backends]'
	@touch $@
