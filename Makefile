# Two commands matter: `make demo` and `make test`. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PALIMPSEST_DATA ?= $(CURDIR)/var

.PHONY: demo test test-external smoke setup judges lock style types imports unit journeys docs serve bench-search bench-ingest bench-reconcile bench-lineage bench-overhead bench-xrd bench-calibration chaos fuzz

demo: setup
	@$(BIN)/python -m demo

smoke: setup
	@$(BIN)/python -m demo.smoke

test: style types imports unit journeys docs smoke

# The same tests against a PostgreSQL outside: DATABASE_URL, else a fresh server of their own.
test-external: setup judges
	@$(BIN)/python -m tests.journeys.browser
	$(BIN)/python -m tests.external

# N=100000 is the small form; catalogues are loaded once and kept under var/.
bench-search: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-search $(BIN)/python -m bench.search

bench-ingest: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-ingest $(BIN)/python -m bench.ingest

# N=100000 datasets of one rule by default.
bench-reconcile: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-reconcile $(BIN)/python -m bench.reconcile

bench-overhead: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-overhead $(BIN)/python -m bench.overhead

# Hostile bytes for the decoder, beside the reference; one hour unless SECONDS says otherwise.
fuzz: setup
	@nice -n 19 $(BIN)/python -m tests.fuzzing --seconds $(or $(SECONDS),3600) --folder $(CURDIR)/var/fuzzing

# Peers go into an environment of their own; PAIRS=N measures more, THREADS=N in fewer threads.
bench-calibration: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-calibration $(BIN)/python -m bench.calibration

# Kills, stops, restarts and a full disk; SEED=N deals the same blows again.
chaos: setup
	@$(BIN)/python -m bench.chaos $(if $(SEED),--seed $(SEED)) $(if $(ENGINE),--engine $(ENGINE))

# 400,000 activities and 900,000 edges, written once and kept under var/.
bench-lineage: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-lineage $(BIN)/python -m bench.lineage

# PAIRS=3 by default; scans of 1.2 GB are made once and kept under var/.
bench-xrd: setup
	@PALIMPSEST_DATA=$(CURDIR)/var/bench-xrd $(BIN)/python -m bench.xrd

# As a facility runs it, behind gunicorn; docs/operating.md says what belongs before it.
serve: setup
	@PALIMPSEST_COLLECTED=1 $(BIN)/python manage.py collectstatic --noinput --verbosity 0
	@PALIMPSEST_COLLECTED=1 $(BIN)/python -m gunicorn --config python:config.gunicorn config.wsgi

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Palimpsest needs Python 3.11 or newer.")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What others wrote and our exports must please; its old pins stay out of our environment.
judges: .venv-judges/.ready

.venv-judges/.ready: tests/judges.lock
	@test -x .venv-judges/bin/python || $(PYTHON) -m venv .venv-judges
	@echo "Installing the programs that judge our exports into .venv-judges ..."
	@.venv-judges/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/judges.lock
	@touch $@

# Needs uv (pip install uv); the lock names hashes and no download address.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet --upgrade --output-file requirements.lock
	uv pip compile tests/judges.in --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet --upgrade --output-file tests/judges.lock

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --quiet --check --lint templates
	$(BIN)/python -m numpydoc.hooks.validate_docstrings $$(git ls-files 'processing/science/*.py' 'catalogue/storage/*.py' 'catalogue/registration/*.py' \
	  catalogue/access.py catalogue/lineage.py)

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

unit: setup judges
	$(BIN)/pytest --numprocesses 2 --dist loadfile --ignore tests/journeys --ignore tests/docs

journeys: setup
	@$(BIN)/python -m tests.journeys.browser
	$(BIN)/pytest --numprocesses 2 tests/journeys

docs: setup
	$(BIN)/pytest tests/docs
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/python manage.py makemigrations --check --dry-run
