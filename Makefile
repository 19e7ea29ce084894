# Two commands for a bare machine with Python >= 3.11: `make book` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
JOBS ?= 2
BIN = $(VENV)/bin

.PHONY: book test lint clean

book: $(VENV)/installed
	$(BIN)/python book/build.py --profile $(PROFILE) --jobs $(JOBS)

test: $(VENV)/installed
	$(BIN)/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[book,test]'
	touch $@

clean:
	rm -rf $(VENV) book/_build
