# Each command sets up what it needs; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

# So a package is compiled at its first import only, not at each start of Python. Some environments set this variable.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help report study test lab lint bench lock setup sagemaker

# The study of `make study`, smallest first: notebooks/cifar10.2.yml, shake_shake.yml, full.yml.
STUDY ?= notebooks/cifar10.2.yml

# TensorFlow is installed for a GPU where there is an NVIDIA one; DEVICE=cpu overrules.
DEVICE ?= $(if $(shell nvidia-smi -L 2>/dev/null),gpu,cpu)
ifeq ($(DEVICE),gpu)
LOCKED := requirements-gpu.lock
READY := .venv/ready-gpu
OTHER := .venv/ready
else
LOCKED := requirements.lock
READY := .venv/ready
OTHER := .venv/ready-gpu
endif

help:
	@echo 'make report   build the embedded data, train small networks on it, make results/report/index.html (minutes)'
	@echo 'make study    CIFAR-10.2: download, train, evaluate, make the report; says first what it costs, and asks'
	@echo '              STUDY=notebooks/full.yml names another study, YES=1 starts without asking'
	@echo 'make lab      the notebooks in Jupyter'
	@echo 'make test     all tests'
	@echo 'make lint     style and types'
	@echo 'make bench    speed and memory, side by side with what we compare against; damaged files'
	@echo 'make setup    .venv alone, with Python 3.11 to 3.13, and the Jupyter kernel "autoaug" for this user;'
	@echo '              PYTHON=python3.12 names another than python3;'
	@echo '              with TensorFlow for a GPU where there is an NVIDIA one, unless DEVICE=cpu'
	@echo 'make sagemaker  the same with SageMaker'\''s SDK, for python -m autoaug.sweep and autoaug.launch'
	@echo 'make lock     the three lock files from pyproject.toml; needs uv'

report: $(READY)
	$(BIN)/python -m autoaug.report

study: $(READY)
	$(BIN)/python -m autoaug.report --runs $(STUDY) $(if $(YES),--yes)

test: .venv/sagemaker
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 20

lab: $(READY)
	$(BIN)/jupyter lab notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Prints its tables; torch and torchvision are compared where `pip install -e '.[bench]'` has put them.
bench: $(READY)
	for topic in augmentation datasets models training runs cluster growth fuzzing; do PYTHONPATH=tests/helpers $(BIN)/python tests/benchmarks/$$topic.py || exit 1; done

# The notebooks name the kernel "autoaug". Any Jupyter of this user finds it, as that of the checkout that was set up last;
# .venv has one of its own, which Jupyter and papermill in .venv take.
setup: $(READY)
	$(BIN)/python -m ipykernel install --user --name autoaug --display-name autoaug
	@echo 'The Jupyter kernel "autoaug" of this user is now that of $(CURDIR)'

# Python 3.11 to 3.13 with pip. The project itself comes last: its command `papermill` replaces papermill's. The file
# `ready` is written at the end, so an interrupted set-up is done again. TensorFlow's two packages overwrite each other's
# files, so .venv is made again if it was made for the other device.
$(READY): $(LOCKED) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	f"Expected Python 3.11 to 3.13. Received: {v}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(if $(wildcard $(OTHER)),--clear ).venv
	$(BIN)/pip install --quiet --no-compile --requirement $(LOCKED)
	$(BIN)/pip install --quiet --no-deps --editable .
	$(BIN)/python -m ipykernel install --sys-prefix --name autoaug --display-name autoaug
	touch $@

sagemaker: .venv/sagemaker

# SageMaker's SDK, which only launching and its tests need; TensorFlow is there already.
.venv/sagemaker: $(READY) requirements-sagemaker.lock
	grep --invert-match '^tensorflow\(-cpu\)\?==' requirements-sagemaker.lock | $(BIN)/pip install --quiet --no-compile --requirement /dev/stdin
	touch $@

# All locks from one resolution, so that the versions they share are the same; needs uv.
LOCK := uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-annotate --no-header --extra test
lock:
	$(LOCK) --extra cpu --extra sagemaker --extra noise --output-file requirements-sagemaker.lock
	$(LOCK) --extra cpu --constraint requirements-sagemaker.lock --output-file requirements.lock
	$(LOCK) --extra gpu --constraint requirements-sagemaker.lock --output-file requirements-gpu.lock
