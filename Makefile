# Each command sets up what it needs; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help report test lab lint bench lock setup

help:
	@echo 'make report   build the embedded data, train small networks on it, make results/report/index.html (minutes)'
	@echo 'make lab      the notebooks in Jupyter'
	@echo 'make test     all tests'
	@echo 'make lint     style and types'
	@echo 'make bench    speed and memory, side by side with what we compare against; damaged files'
	@echo 'make setup    .venv alone, with Python 3.11 to 3.13, and the Jupyter kernel "autoaug" for this user;'
	@echo '              PYTHON=python3.12 names another than python3'
	@echo 'make lock     both lock files from pyproject.toml; needs uv'

report: .venv/ready
	$(BIN)/python -m autoaug.report

test: .venv/sagemaker
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lab: .venv/ready
	$(BIN)/jupyter lab notebooks

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Prints its tables; torch and torchvision are compared where `pip install -e '.[bench]'` has put them.
bench: .venv/ready
	for topic in augmentation datasets models training runs cluster growth fuzzing; do PYTHONPATH=tests/helpers $(BIN)/python tests/benchmarks/$$topic.py || exit 1; done

# The notebooks name the kernel "autoaug". Any Jupyter of this user finds it, as that of the checkout that was set up last;
# .venv has one of its own, which Jupyter and papermill in .venv take.
setup: .venv/ready
	$(BIN)/python -m ipykernel install --user --name autoaug --display-name autoaug
	@echo 'The Jupyter kernel "autoaug" of this user is now that of $(CURDIR)'

# Python 3.11 to 3.13 with pip. The project itself comes last: its command `papermill` replaces papermill's. The file
# `ready` is written at the end, so an interrupted set-up is done again.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	f"Expected Python 3.11 to 3.13. Received: {v}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	$(BIN)/python -m ipykernel install --sys-prefix --name autoaug --display-name autoaug
	touch $@

# SageMaker's SDK, which only launching and its tests need.
.venv/sagemaker: .venv/ready requirements-sagemaker.lock
	$(BIN)/pip install --quiet --no-compile --requirement requirements-sagemaker.lock
	touch $@

# Both locks from one resolution, so that the versions they share are the same; needs uv.
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-annotate --no-header --extra cpu --extra test
lock:
	$(LOCK) --extra sagemaker --extra noise --output-file requirements-sagemaker.lock
	$(LOCK) --constraint requirements-sagemaker.lock --output-file requirements.lock
