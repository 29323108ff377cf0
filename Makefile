# make demo      asks about four bundled pictures; the first run makes .venv and installs the package
# make test      the same set-up and what the tests need, then all tests
# make check     lint, format, types and import layers
# make format    puts the code into the form that check wants
# make install   only makes .venv with the package
# make clean     removes all that these made; runs/, where trained models are, stays
#
# Another Python: make demo PYTHON=python3.12. Where pip finds packages is up to pip's own settings.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# A stamp is written when an installation is complete, and outdated by a change of what is to be installed.
CORE := .venv/.core-installed
DEV := .venv/.dev-installed
ASK := $(BIN)/llavaplus ask

.DEFAULT_GOAL := help
.PHONY: help demo test check format install clean

help:
	@sed -n 's/^# \(make [a-z]* \)/\1/p' Makefile

# The pictures of the demo stay in the checkout.
demo: export LLAVAPLUS_IMAGES := $(CURDIR)/out/store
demo: $(CORE)
	@echo
	$(ASK) llavaplus_graph/samples/sign.png "What does the sign say?" --save out/demo
	@echo
	$(ASK) llavaplus_graph/samples/qr.png "What does the QR code say?" --save out/demo
	@echo
	$(ASK) llavaplus_graph/samples/objects.png "Segment the region in the box and erase it." \
	    --box 0.53,0.5,0.79,0.86 --save out/demo
	@echo
	$(ASK) llavaplus_graph/samples/photo.jpg "Rotate it by 90 degrees." --save out/demo

test: $(DEV)
	$(BIN)/python -m pytest

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

install: $(CORE)
	@echo "installed; the command is $(BIN)/llavaplus, or just llavaplus after: source $(BIN)/activate"

clean:
	rm -rf .venv out build dist .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './runs/*' -prune -exec rm -rf {} +

$(DEV): $(CORE)
	$(PIP) -e '.[dev]'
	@touch $@

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "there is no $(PYTHON) here; install Python 3.11 or newer, or name one: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another one:" \
	         "make demo PYTHON=python3.12" >&2; exit 1; }
	@echo "making .venv with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	    echo "$(PYTHON) cannot make a virtual environment; install its venv module (on Debian: python3-venv)" >&2; exit 1; }
