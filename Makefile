# Two commands for a bare machine with Python >= 3.11: `make book` and `make test`.  With LOCKED=1
# they install the very versions of constraints.txt, which are of Python 3.11, else the newest.
PYTHON ?= python3
VENV ?= .venv
PROFILE ?= quick
OUT ?= book/_build/$(PROFILE)
BIN = $(VENV)/bin
BIOME = npx --yes @biomejs/biome@2.6.8
ENVIRONMENT = $(VENV)/$(if $(LOCKED),locked,installed)

.PHONY: book paper read wheel test test-all lint clean

book: $(ENVIRONMENT)
	$(BIN)/python book/build.py --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS)) --out $(OUT)

# The published edition, to be committed: every page executed once, on MNIST or Fashion-MNIST, into
# book/pages, with the locked versions.  A page executed before from the same sources stays, so an
# interrupted edition goes on.  All pages of an edition are of one revision: for a new edition,
# remove book/pages first.
paper: $(VENV)/locked
	$(BIN)/python book/build.py --profile paper --out book --html book/_build/html $(if $(PAGES),--pages $(PAGES))

# Rendered as it was committed: no data, no training, no network.
read: $(ENVIRONMENT)
	$(BIN)/python book/build.py --profile paper --out book --html book/_build/html --read

# dist/repinf-*.whl, for a runtime without this repository: laid beside a notebook, its first code
# cell installs it.  A wheel above 95 MB would come near a host's limit of 100 MB for one file.
wheel: $(ENVIRONMENT)
	rm -f dist/repinf-*
	$(BIN)/python -m build --outdir dist >/dev/null
	@$(BIN)/python -c 'import pathlib, sys; wheel, = pathlib.Path("dist").glob("*.whl"); size = wheel.stat().st_size / 1e6; print(f"{wheel}: {size:.1f} MB"); sys.exit("Allowed are 95 MB." if size > 95 else 0)'

# The tests that take minutes; then those that kill processes, start clusters and execute pages.
test: $(ENVIRONMENT)
	$(BIN)/python -m pytest -m "not slow"

test-all: test
	$(BIN)/python -m pytest -m slow

lint: $(ENVIRONMENT)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@if $(BIOME) --version > /dev/null 2>&1; then $(BIOME) ci --error-on-warnings .; else echo "npx cannot get Biome here: the playground's JavaScript is not checked."; fi

# Written last, so that an interrupted installation is begun again.
$(VENV)/locked: constraints.txt
$(VENV)/installed $(VENV)/locked: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; $(PYTHON) is %s; try make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(if $(filter %/locked,$@),--constraint constraints.txt) --editable '.[book,test]'
	touch $@

# Not $(VENV), which may be an environment that somebody else uses.
clean:
	rm -rf .venv book/_build
