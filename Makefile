# Each target sets up what it needs: a virtual environment in .venv with the package and its tools.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: demo test quick serve mcp check bench format clean

demo: $(READY)
	$(BIN)/credyt-mcp demo

test: $(READY)
	$(BIN)/pytest -n auto

quick: $(READY)
	$(BIN)/pytest -n auto -m "not slow"

serve: $(READY)
	$(BIN)/credyt-mcp serve

# What .mcp.json starts: stdout belongs to the protocol, so nothing else may print there.
mcp:
	@$(MAKE) --silent $(READY) >&2
	@exec $(BIN)/credyt-mcp

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

# Side by side in one run, at most ten minutes; mcp-billing is only compared with, so may be missing.
bench: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' || true
	$(BIN)/python -m benchmarks

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed; try make PYTHON=python3.12"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(READY)
