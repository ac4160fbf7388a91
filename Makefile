# Each command sets up what it needs; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin

# So a package is compiled at its first import only, not at each start of Python. Some environments set this variable.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help report study test lab lint bench gpu-check lock setup sagemaker

# The study of `make study`: any of notebooks/*.yml; each says its cost first.
STUDY ?= notebooks/cifar10.2.yml

# TensorFlow is installed for a GPU where there is an NVIDIA one; DEVICE=cpu overrules.
DEVICE ?= $(if $(shell nvidia-smi -L 2>/dev/null),gpu,cpu)
ifeq ($(DEVICE),gpu)
LOCKED := requirements-gpu.lock
READY := .venv/ready-gpu
OTHER := .venv/ready
SIZE := 7.0 GB
else
LOCKED := requirements.lock
READY := .venv/ready
OTHER := .venv/ready-gpu
SIZE := 2.3 GB
endif

help:
	@echo 'make report   draw shapes, train small networks on them, make results/report/index.html (minutes)'
	@echo 'make study    CIFAR-10.2: download, train, evaluate, make the report; says first what it costs, and asks'
	@echo '              STUDY=notebooks/full.yml names another study, YES=1 starts without asking'
	@echo 'make lab      the notebooks in Jupyter; git leaves their outputs out'
	@echo 'make test     all tests'
	@echo 'make lint     style and types'
	@echo 'make bench    speed and memory, side by side with what we compare against; damaged files'
	@echo 'make gpu-check  what a GPU computes and how fast, beside the CPU (minutes)'
	@echo 'make setup    .venv alone, with Python 3.11 to 3.13, and the Jupyter kernel "autoaug" for this user;'
	@echo '              PYTHON=python3.12 names another than python3;'
	@echo '              with TensorFlow for a GPU where there is an NVIDIA one, unless DEVICE=cpu'
	@echo 'make sagemaker  the same with SageMaker'\''s SDK, for python -m autoaug.sagemaker'
	@echo 'make lock     the lock files from pyproject.toml'

report: $(READY)
	$(BIN)/python -m autoaug.report

study: $(READY)
	$(BIN)/python -m autoaug.report --runs $(STUDY) $(if $(YES),--yes)

test: .venv/sagemaker
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 20

# In a checkout, `git add` takes notebooks without their outputs (.gitattributes), and without what Jupyter writes into each
# notebook that is opened. Jupyter refuses root unless told.
WRITTEN := codemirror_mode file_extension mimetype nbconvert_exporter pygments_lexer version
lab: $(READY)
	test ! -e .git || $(BIN)/nbstripout --install --attributes .gitattributes
	test ! -e .git || git config filter.nbstripout.extrakeys '$(addprefix metadata.language_info.,$(WRITTEN))'
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Prints its tables; PyTorch is compared where `pip install -e '.[bench]'` has put it.
bench: $(READY)
	for topic in augmentation training runs fuzzing; do PYTHONPATH=tests/helpers $(BIN)/python tests/benchmarks/$$topic.py || exit 1; done

gpu-check: $(READY)
	PYTHONPATH=tests/helpers $(BIN)/python tests/benchmarks/gpu_check.py

# The notebooks name the kernel "autoaug". Any Jupyter of this user finds it, as that of the checkout that was set up last;
# .venv has one of its own, which Jupyter and papermill in .venv take.
setup: $(READY)
	$(BIN)/python -m ipykernel install --user --name autoaug --display-name autoaug
	@echo 'The Jupyter kernel "autoaug" of this user is now that of $(CURDIR)'

# Python 3.11 to 3.13 with pip. uv installs, several times as fast as pip, which does it where uv cannot. The project itself
# comes last: its command `papermill` replaces papermill's. The file `ready` is written at the end, so an interrupted set-up
# is done again. TensorFlow's two packages overwrite each other's files, so .venv is made again for another device.
# The augmentation's kernel is compiled here, by a call without images; else trainings side by side would each compile it.
$(READY): $(LOCKED) requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	f"Expected Python 3.11 to 3.13. Received: {v}. Name another: make PYTHON=python3.12")'
	@echo 'Installing the packages of $(LOCKED) into .venv: $(SIZE)'
	$(PYTHON) -m venv $(if $(wildcard $(OTHER)),--clear ).venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements-uv.lock || true
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement $(LOCKED) || \
	$(BIN)/pip install --quiet --no-compile --require-hashes --requirement $(LOCKED)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m ipykernel install --sys-prefix --name autoaug --display-name autoaug
	$(BIN)/python -c 'import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); \
	import numpy as np; from autoaug import augment; \
	augment.augment_batch(np.empty((0, 32, 32, 3), np.uint8), np.empty(0, augment.PLAN), np.zeros(3), np.ones(3))'
	touch $@

sagemaker: .venv/sagemaker

# SageMaker's SDK, which only launching and its tests need; TensorFlow is there already. Without dependencies, since the lock
# has all but MLflow (pyproject.toml).
.venv/sagemaker: $(READY) requirements-sagemaker.lock
	@echo "Adding SageMaker's SDK: 0.2 GB"
	awk '/^[^ ]/ {wanted = !/^tensorflow(-cpu)?==/} wanted' requirements-sagemaker.lock > $@.txt
	$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python --require-hashes --requirement $@.txt || \
	$(BIN)/pip install --quiet --no-deps --no-compile --require-hashes --requirement $@.txt
	touch $@

# All locks from one resolution, so that the versions they share are the same.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras
lock: $(READY)
	$(LOCK) pyproject.toml --extra test --extra cpu --extra sagemaker --output-file requirements-sagemaker.lock
	$(LOCK) pyproject.toml --extra test --extra cpu --constraint requirements-sagemaker.lock --output-file requirements.lock
	$(LOCK) pyproject.toml --extra test --extra gpu --constraint requirements-sagemaker.lock --output-file requirements-gpu.lock
	$(LOCK) requirements-container.in --constraint requirements-sagemaker.lock --output-file requirements-container.txt
	echo uv | $(LOCK) - --output-file requirements-uv.lock
