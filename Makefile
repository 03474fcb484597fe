# make demo   call variants in the bundled human reads     make test   the tests     make lint   style and types     make bench   speed, accuracy, memory
# make docs   the documentation as a site, in site/        make docs-serve   the same, shown while it is written
# Everything goes into .venv; nothing else on the machine is touched.

VENV := .venv
BIN := $(VENV)/bin
# Files that stand for "installed": a second call of make does nothing while pyproject.toml stays the same.
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev
INSTALLED_DOCS := $(VENV)/installed-docs
# Quiets a note on the next major version of MkDocs, which pyproject.toml keeps out.
export NO_MKDOCS_2_WARNING := 1

.PHONY: help demo test lint bench docs docs-serve clean
help:
	@sed -n 1,3p Makefile

demo: $(INSTALLED)
	$(BIN)/gpuvc demo

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m benchmarks.tables --check

bench: $(INSTALLED_DEV)
	$(BIN)/python -m benchmarks.bench_decode
	$(BIN)/python -m benchmarks.bench_calling
	$(BIN)/python -m benchmarks.bench_stages
	$(BIN)/python -m benchmarks.memory
	@if [ -n "$$RTG_JAR" ] || command -v rtg >/dev/null; then set -x; $(BIN)/python -m benchmarks.accuracy; \
	else echo 'accuracy left out, it needs rtg on PATH or RTG_JAR=/path/to/rtg-tools.jar (benchmarks/README.md)'; fi
	$(BIN)/python -m benchmarks.tables

docs: $(INSTALLED_DOCS)
	$(BIN)/mkdocs build --strict

docs-serve: $(INSTALLED_DOCS)
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) build dist demo-output site .cache

$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(INSTALLED) $@

$(INSTALLED_DOCS): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $(INSTALLED) $@

# The newest Python >= 3.11 that can make environments (Debian ships venv apart from Python). PYTHON=/path/to/python chooses another.
PYTHON_OK := import sys; sys.exit(sys.version_info < (3, 11))
$(BIN)/python:
	@python=; found=; \
	for candidate in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	  "$$candidate" -c '$(PYTHON_OK)' 2>/dev/null || continue; \
	  found=$${found:-$$candidate}; \
	  "$$candidate" -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  python=$$candidate; break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'gpuvc needs Python 3.11 or later. Debian 12 and later: sudo apt install python3 python3-venv' >&2; exit 1; \
	fi; \
	if [ -z "$$python" ]; then \
	  echo "$$found cannot make virtual environments. Debian: sudo apt install python3-venv" >&2; exit 1; \
	fi; \
	"$$python" -m venv --clear $(VENV)
