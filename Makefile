# Two commands for a bare machine with Python >= 3.11: `make book` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
OUT ?= book/_build/$(PROFILE)
BIN = $(VENV)/bin

.PHONY: book paper read test test-all lint clean

book: $(VENV)/installed
	$(BIN)/python book/build.py --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS)) --out $(OUT)

# The published edition: executed with MNIST and Fashion-MNIST into book/pages, to be committed.
paper: $(VENV)/installed
	$(BIN)/python book/build.py --profile paper --out book --html book/_build/html $(if $(PAGES),--pages $(PAGES))

# Rendered as it was committed: no data, no training, no network.
read: $(VENV)/installed
	$(BIN)/python book/build.py --profile paper --out book --html book/_build/html --read

# The tests that take minutes; then those that kill processes, start clusters and execute pages.
test: $(VENV)/installed
	$(BIN)/python -m pytest -m "not slow"

test-all: test
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Written last, so that an interrupted installation is begun again.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; $(PYTHON) is %s; try make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[book,test]'
	touch $@

# Not $(VENV), which may be an environment that somebody else uses.
clean:
	rm -rf .venv book/_build
