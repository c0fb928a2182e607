# One entry for everything. Two of these do all the set-up: `make demo` and `make test`.
# Python packages go into .venv; as root, missing plain tools come by apt; engines are only unpacked (never installed).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
PACKAGES := core plugins/bridge plugins/macvlan plugins/vxlan
SOURCES := core/src plugins/bridge/src plugins/macvlan/src plugins/vxlan/src
CHECKED := core plugins tests bench examples
TOOLS := iptables nftables iproute2 busybox-static conntrack
# More than a small machine has processors: tests of the levels netns and docker mostly wait. 0: all in one process.
WORKERS ?= 3

.PHONY: help demo test test-long check bench golden tools engines clean venv
.DEFAULT_GOAL := help

help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

venv: $(STAMP) ## make .venv with everything pinned in constraints.txt

$(STAMP): constraints.txt core/pyproject.toml $(wildcard plugins/*/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt setuptools wheel
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement requirements-dev.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-build-isolation $(addprefix --editable ,$(PACKAGES))
	@touch $@

demo: venv ## run the main job on embedded defaults: no Docker and no root needed
	$(BIN)/linkwright demo

check: venv ## formatting, lint, strict typing
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/mypy $(SOURCES)

tools: # plain tools, where they are missing and we may install them
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  missing=$$(for package in $(TOOLS); do dpkg -s $$package >/dev/null 2>&1 || echo $$package; done); \
	  if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -qq -y --no-install-recommends $$missing >/dev/null; fi; \
	fi

engines: venv tools # Docker engines and Prometheus, unpacked into a cache folder
	@if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then $(BIN)/python -m tests.engines.fetch; fi

test: venv tools engines check ## every test that can run here; as root on Debian, none may be missing
	@require=""; if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then require="--require=netns,docker"; fi; \
	$(BIN)/python -m pytest $$require --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(PYTEST)

test-long: ## the same with the full forms of what has a short one
	$(MAKE) test PYTEST="--long $(PYTEST)"

bench: venv tools engines ## measure against peers and floors, in one run
	$(BIN)/python -m bench

golden: venv ## write the golden texts anew; look at the difference before committing it
	LINKWRIGHT_GOLDEN=write $(BIN)/python -m pytest -q -k golden

clean: ## take away what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
