# What a newcomer needs: `make demo` to see it work, `make test` to check it. Both install what they need by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := examples/flights/.venv
AIRFLOW := examples/airflow/.venv
PIP := --disable-pip-version-check --quiet
ARGS ?=

.PHONY: test check lint types imports pytest fuzz test-neo4j test-airflow history install demo demo-environment bench secrets clean

test: check pytest

check: lint types imports

install: $(VENV)/.installed

# The first variable pins what is installed and, for an older pip, what builds it; from pip 26.2 on the second does the latter.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed, found $$($(PYTHON) --version); set PYTHON=…"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)"
	@PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(BIN)/python -m pip install $(PIP) -e '.[dev]'
	@touch $@

demo-environment: $(DEMO)/.installed

$(DEMO)/.installed: examples/flights/requirements.txt examples/flights/constraints.txt
	@test -x $(DEMO)/bin/python || $(PYTHON) -m venv $(DEMO)
	@echo "installing dbt and DuckDB into $(DEMO)"
	@$(DEMO)/bin/python -m pip install $(PIP) -r examples/flights/requirements.txt
	@touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

# Some tests run the code of the release before: a shallow clone asks for the history that it lacks, and goes on without.
history:
	@test "$$(git rev-parse --is-shallow-repository 2>/dev/null)" != true \
	  || GIT_TERMINAL_PROMPT=0 git -c http.lowSpeedLimit=1000 -c http.lowSpeedTime=20 fetch --quiet --unshallow --tags \
	  || echo "the history of this shallow clone cannot be fetched: tests of the release before are deselected"

# Three processes on two processors: a quarter of the time of each is spent waiting.
pytest: install demo-environment history
	$(BIN)/pytest -n 3 $(ARGS)

# What `make test` fuzzes for seconds, for as long as one likes: TIMES as much, from another SEED each time.
TIMES ?= 20
SEED ?= $(shell date +%s)
fuzz: install
	HEADWATER_FUZZ_TIMES=$(TIMES) HEADWATER_FUZZ_SEED=$(SEED) $(BIN)/pytest -rP tests/fuzz $(ARGS)

# Against a real Neo4j, which needs Java and, the first time, Maven (500 MB of memory), or the one that
# HEADWATER_TEST_NEO4J_URL, _USER and _PASSWORD name; `make test` does without.
test-neo4j: install
	HEADWATER_TEST_NEO4J=1 $(BIN)/pytest -m neo4j $(ARGS)

# Against a real Airflow 3 in an environment of its own (300 MB, and 1 GB of memory), which `make test` does without.
test-airflow: install $(AIRFLOW)/.installed
	HEADWATER_TEST_AIRFLOW=$(AIRFLOW) $(BIN)/pytest -m airflow tests/acceptance/test_airflow.py $(ARGS)

$(AIRFLOW)/.installed: examples/airflow/requirements.txt examples/airflow/constraints.txt
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	@echo "installing Airflow into $(AIRFLOW)"
	@$(AIRFLOW)/bin/python -m pip install $(PIP) -r examples/airflow/requirements.txt
	@touch $@

# The flights of New York City through registered pipelines; ARGS=--once ends when every expected run has succeeded.
demo: install demo-environment
	$(BIN)/python examples/flights/demo.py $(ARGS)

# At random, in deploy/secrets, for docker-compose.yml; what is there stays as it is.
secrets:
	@deploy/make-secrets

bench: install
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) $(DEMO) $(AIRFLOW) examples/airflow/.airflow build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .demo
