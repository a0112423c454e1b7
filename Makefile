# callcontrol. `make demo` shows it, `make test` proves it; both set up what they need.
#
#   make demo    real warm transfers between two real switches; PBX=freeswitch for a FreeSWITCH
#   make test    every test, the live ones included
#   make check   formatting, lint, types, layers, core at full branch coverage
#   make bench   speed against the PBX's own ways, as a table; PBX=freeswitch likewise
#   make clean   the virtual environment and what the tools left; caches outside are kept

SHELL := /bin/bash
VENV  ?= .venv
BIN   := $(VENV)/bin
PY    := $(BIN)/python
LAB   := $(VENV)/.lab

.PHONY: help demo test check bench lab clean
help:
	@sed -n 's/^#   //p' Makefile

# On which PBX: asterisk, or freeswitch where one is found (on PATH or in FREESWITCH_HOME).
export PBX ?= asterisk

demo: lab
	@$(PY) -m tests.lab.demo

test: lab
	@echo "== running every test; the live ones start switches on 127.0.0.1"
	$(PY) -m pytest $(ARGS)

bench: lab
	@$(PY) -m tests.lab.bench

check: $(VENV)/.ready
	@echo "== formatting and lint"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@echo "== types"
	$(BIN)/mypy
	@echo "== layers"
	$(BIN)/lint-imports
	@echo "== core at full branch coverage"
	$(BIN)/coverage run --source=callcontrol/core -m pytest -q tests/core
	$(BIN)/coverage report --fail-under=100 --skip-covered

# The PBX and the audio tools: found, installed, or made once in a cache outside the checkout.
lab: $(LAB)
$(LAB): $(VENV)/.ready tests/lab/provision.py
	@$(PY) -m tests.lab.provision
	@touch $@

$(VENV)/.ready: pyproject.toml tools/venv
	@tools/venv $(VENV)
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
