# Two commands do everything: `make run` starts the chat daemon, `make test` passes the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 9000

.DEFAULT_GOAL := help
.PHONY: help run test lint types check docs bench bench-quick campaigns campaign-differential clean

help:            ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: $(VENV)/.installed   ## start the chat daemon on port 9000; talk to it with: nc localhost 9000
	$(BIN)/twistd -n socketsuite-chat --port $(PORT)

test: $(VENV)/.installed-tests   ## run every test; real peers are installed where apt and root allow
	@tools/install-peers
	$(BIN)/pytest -n 2 --dist loadgroup $(TESTS)

lint: $(VENV)/.installed-tests   ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-tests  ## check types
	$(BIN)/mypy

check: lint types test   ## what CI runs

docs: $(VENV)/.installed-tests   ## write docs/settings.md anew from the declared settings
	$(BIN)/python -m socketsuite.daemon.config.reference > docs/settings.md

bench: $(VENV)/.installed-bench        ## compare with other servers, 5 minutes; writes docs/bench.svg
	$(BIN)/python -m bench.run --json docs/bench.json --svg docs/bench.svg

bench-quick: $(VENV)/.installed-bench  ## the same in brief, a minute
	$(BIN)/python -m bench.run --quick

campaigns: $(VENV)/.installed-tests    ## strict measurements that need a quiet machine, under two minutes
	$(BIN)/python -m tests.campaigns.stalled_reader

campaign-differential: $(VENV)/.installed-tests  ## random scenarios against stock Twisted, ten minutes; ARGS="--seed N" for one
	$(BIN)/python -m tests.differential.campaign $(ARGS)

clean:           ## remove what these commands made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV) || { echo 'python3 -m venv failed: on Debian, apt-get install python3-venv' >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-tests: $(VENV)/.made pyproject.toml examples/rot13/pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e examples/rot13
	@touch $@ $(VENV)/.installed
