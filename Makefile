# Every target does its own set-up: a .venv with the pinned versions and compiled bytecode.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# uv installs in seconds what takes pip minutes; where a find-links folder is set up for pip, uv is told of it too.
INSTALL := UV_FIND_LINKS="$(PIP_FIND_LINKS)" UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip install --quiet --compile-bytecode \
	--python $(BIN)/python --constraint constraints.txt

.PHONY: demo test check mutants studies docs dist constraints install-check format virtual-pi clean help

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.keras  ## Train, convert, profile and report two small models
	$(BIN)/edgebench demo

test: $(VENV)/.all  ## Run every test, on two cores
	$(BIN)/python -m pytest -n 2

check: $(VENV)/.all build/types  ## Lint, types and the boundary tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	MYPYPATH=build/types $(BIN)/mypy -p edgebench
	$(BIN)/python -m pytest -q tests/test_boundaries.py

mutants: $(VENV)/.all  ## Put one-line faults into the judging code: does a unit test notice? (SAMPLE=0 for all of them)
	$(BIN)/python -m tests.mutants --sample $(or $(SAMPLE),10)

studies: $(VENV)/.all  ## Run the five studies of benchmarks/suites/ in a reduced form (long)
	$(BIN)/python -m benchmarks.studies

docs: $(VENV)/.all  ## Write docs/commands.md from the commands, and docs/reading.md's figures from their table
	$(BIN)/python -m edgebench.cli.reference > docs/commands.md
	$(BIN)/python -m edgebench.cli.reading docs/reading.md

dist: $(VENV)/.all  ## Build the source archive and the wheel into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

# uv takes versions whose upper bound of Python it overlooks, and pip then refuses: such a line stays out.
constraints: $(VENV)/bin/uv  ## Resolve the newest versions of everything and write constraints.txt
	{ sed '/^[^#]/,$$d' constraints.txt; \
	  UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(BIN)/uv pip compile --quiet --no-header --no-annotate --all-extras setup.cfg \
	  | grep -v -e '^backports-strenum==' -e '^edgebench'; } > constraints.new
	mv constraints.new constraints.txt

install-check: $(VENV)/bin/uv  ## Try every installation line of the README with pip, each in a fresh environment (slow)
	$(PYTHON) -m tests.installation

format: $(VENV)/.all  ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

virtual-pi: $(VENV)/.all  ## Start an emulated Raspberry Pi with a real sshd, for people who have none
	$(BIN)/python -m tests.virtual_pi

$(VENV)/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "edgebench needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/.keras: $(VENV)/bin/uv setup.cfg constraints.txt pyproject.toml
	$(INSTALL) --editable '.[keras]'
	@touch $@

$(VENV)/.all: $(VENV)/bin/uv setup.cfg constraints.txt pyproject.toml
	$(INSTALL) --editable '.[all,dev]'
	@touch $@

# mypy does not follow setup.cfg's package_dir: a view of the tree as it is installed.
build/types: FORCE
	@mkdir -p build/types/edgebench
	@for entry in edgebench/*; do ln -sfn ../../../$$entry build/types/edgebench/; done
	@ln -sfn ../../../converters build/types/edgebench/converters
	@ln -sfn ../../../devices build/types/edgebench/devices
	@rm -f build/types/edgebench/__pycache__

.PHONY: FORCE
FORCE:

clean:  ## Remove the environment and everything made
	rm -rf $(VENV) build dist edgebench-out *.egg-info
