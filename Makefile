# report · test · lab · lint · bench; each sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: report test lab lint bench setup

setup: .venv/ready

# Python 3.11 or 3.12 with pip. The file `ready` is written last, so an interrupted set-up is done again.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 13) else "Expected Python 3.11 or 3.12. Received: " + sys.version.split()[0] + ". Name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --requirement requirements.lock
	$(BIN)/pip install --quiet --no-compile --no-deps --editable .
	touch $@
