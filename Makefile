# Two commands do everything: `make run` starts the chat daemon, `make test` passes the tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 9000
IRC_PORT ?= 6667
WEB_PORT ?= 8080
EXAMPLES := examples/rot13 examples/noticeboard examples/socketio_greeter

# Lines and branches, in percent, that `make coverage` fails below.
COVERAGE_FLOOR := 94
# What measures time, or installs the suite elsewhere, says nothing of it under coverage.
UNMEASURED := bench packaging daemons/test_many_peers.py daemons/test_stalled_readers.py \
	transport/test_twisted_suites.py
# In its jail a daemon finds no place for the data, and says so where the test wants silence.
OUT_OF_REACH := test_a_jail_without_dev_null_is_one_line_and_status_1

# What an install is made of: after a change to one of these there is another.
BUILT_FROM := pyproject.toml hatch_build.py $(wildcard socketsuite/transport/_*.[ch])

# Inputs of `make fuzz` over all targets, and the seconds that each may take.
RUNS ?= 1000000
SECONDS ?= 120

# Where PYTHONDONTWRITEBYTECODE is set, each of a thousand daemons would compile the suite anew.
COMPILE = $(BIN)/python -m compileall -q -j 0 socketsuite twisted examples

.DEFAULT_GOAL := help
.PHONY: help run test test-thorough lint format types check check-compiled coverage docs pictures
.PHONY: bench bench-durable bench-quick campaigns campaign-compiled campaign-delays
.PHONY: campaign-differential campaign-filesink campaign-mutation fuzz release clean

help:            ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.installed   ## start the chat: http://localhost:8080/ in a browser, nc localhost 9000, irssi -c localhost
	@echo 'the page:  http://localhost:$(WEB_PORT)/'
	@echo 'by hand:   nc localhost $(PORT)'
	@echo 'by IRC:    irssi -c localhost -p $(IRC_PORT)'
	$(BIN)/twistd -n socketsuite-chat --port $(PORT) --irc-port $(IRC_PORT) --web-port $(WEB_PORT)

test: $(VENV)/.installed-tests   ## run every test; real peers are installed where apt and root allow
	@tools/install-peers
	@$(COMPILE)
	$(BIN)/pytest -n 4 --dist loadgroup $(TESTS)

test-thorough: $(VENV)/.installed-tests  ## every test, of those too of which make test runs a sample; fifteen minutes
	@tools/install-peers
	@$(COMPILE)
	$(BIN)/pytest -n 4 --dist loadgroup --thorough

lint: $(VENV)/.installed-tests   ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/text_files.py

format: $(VENV)/.installed-tests ## put style and format right, as far as a program can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tools/text_files.py --fix

types: $(VENV)/.installed-tests  ## check types
	$(BIN)/mypy

check: lint types test   ## what CI runs

coverage: $(VENV)/.installed-tests  ## lines and branches that the tests reach, real daemons included
	rm -rf build/coverage
	install -d -m 1777 build/coverage  # daemons without privilege write there, too
	@$(COMPILE)
	$(BIN)/coverage run -m pytest -n 2 --dist loadgroup -q $(UNMEASURED:%=--ignore=tests/%) \
		--deselect tests/daemons/test_privilege.py::$(OUT_OF_REACH)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=$(COVERAGE_FLOOR)

docs: $(VENV)/.installed-tests   ## write anew what comes from the declarations: settings, manual pages, completions, a table
	$(BIN)/python -m socketsuite.daemon.config.reference > docs/settings.md
	rm -rf man completions
	$(BIN)/python -m tools.manual man
	$(BIN)/python -m tools.completions completions
	$(BIN)/python -m tools.irc_page docs/chat-irc.md
	$(BIN)/python -m tools.websocket_page docs/chat-websocket.md docs/chat-websocket.schema.json
	$(BIN)/python -m tests.strangers.matrix

pictures: $(VENV)/.installed-tests     ## draw the chat's clients anew, from real ones: needs tmux, irssi, weechat, nc and chromium
	$(BIN)/python -m tools.chat_pictures docs/pictures
	$(BIN)/python -m tools.page_pictures docs/pictures

bench: $(VENV)/.installed-bench        ## compare with other servers, ten minutes; writes docs/bench.svg
	@tools/install-peers bench
	$(BIN)/python -m bench.run --json docs/bench.json --svg docs/bench.svg

bench-durable: $(VENV)/.installed-bench  ## what the file sink has on disk in a second, beside rsyslog; three minutes
	@tools/install-peers bench
	$(BIN)/python -m bench.durable

bench-quick: $(VENV)/.installed-bench  ## the same in brief, a minute
	@tools/install-peers bench
	$(BIN)/python -m bench.run --quick

campaigns: $(VENV)/.installed-tests    ## strict measurements that need a quiet machine, five minutes
	$(BIN)/python -m tests.campaigns.stalled_reader
	$(BIN)/python -m tests.campaigns.crowded_rooms
	$(BIN)/python -m tests.campaigns.history_kills

campaign-delays: $(VENV)/.installed-tests  ## the tests while system calls take a while now and then, a quarter of an hour
	@tools/install-peers
	$(BIN)/python -m tests.campaigns.delays $(ARGS)

campaign-differential: $(VENV)/.installed-tests  ## random scenarios against stock Twisted, ten minutes; ARGS="--seed N" for one
	$(BIN)/python -m tests.differential.campaign $(ARGS)

campaign-filesink: $(VENV)/.installed-tests  ## kill the file sink, fail and fill its disk, cut its power: half an hour
	@tools/install-peers
	$(BIN)/python -m tests.campaigns.filesink.kills
	$(BIN)/python -m tests.campaigns.filesink.faults
	$(BIN)/python -m tests.campaigns.filesink.crash_states
	$(BIN)/python -m tests.campaigns.filesink.full
	$(BIN)/python -m tests.campaigns.filesink.hanging
	$(BIN)/python -m tests.campaigns.filesink.memory

campaign-mutation: $(VENV)/.installed-tests  ## break the code in small ways, and see whether tests notice
	$(BIN)/python -m tests.campaigns.mutation $(MUTATION)

campaign-compiled: $(VENV)/.installed-tests  ## the compiled burst: ten million messages, and its tests under valgrind; ten minutes
	$(BIN)/python -m tests.campaigns.compiled_messages $(ARGS)
	tools/check-compiled valgrind

check-compiled: $(VENV)/.installed-tests  ## the compiled burst under AddressSanitizer and UBSan; half a minute
	tools/check-compiled asan

fuzz: $(VENV)/.installed-fuzz  ## hostile input, guided by coverage, eight minutes; RUNS=10000000 SECONDS=3600 for more
	@$(BIN)/python -m tests.fuzz.campaign --runs $(RUNS) --seconds $(SECONDS) $(FUZZ)

release: $(VENV)/.installed-release ## look whether a release can be made, and build it; publishes nothing
	@MAKE='$(MAKE)' BIN='$(BIN)' tools/release $(RELEASE)

clean:           ## remove what these commands made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV) || { echo 'python3 -m venv failed: on Debian, apt-get install python3-venv' >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(BUILT_FROM)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m socketsuite.transport.compiled
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.made $(BUILT_FROM)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[bench]'
	@$(BIN)/python -m socketsuite.transport.compiled
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-tests: $(VENV)/.made $(BUILT_FROM) $(EXAMPLES:%=%/pyproject.toml)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -e '.[test,strangers,lint]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(EXAMPLES:%=-e %)
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || :  # as pip does, but on every processor
	@$(BIN)/python -m socketsuite.transport.compiled
	@touch $@ $(VENV)/.installed

# atheris has no package for some machines: the command itself says so then.
$(VENV)/.installed-fuzz: $(VENV)/.installed-tests
	-@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[fuzz]' 2>/dev/null
	@touch $@

$(VENV)/.installed-release: $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[release]'
	@touch $@ $(VENV)/.installed
