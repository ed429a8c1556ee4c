# Everything runs in .venv, made from exact versions (requirements.lock) with nothing else installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export OMP_WAIT_POLICY := passive
export PYTHONUNBUFFERED := 1

.PHONY: demo test install lint clean

demo: $(STAMP)
	$(BIN)/hoifield synth demo/clip --object mug --seed 0
	$(BIN)/hoifield fit --video demo/clip/clip.mp4 --out demo/run --preset draft
	@echo "report: demo/run/report/report.html"

test: $(STAMP) lint
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

install: $(STAMP)

# --no-deps: the lock is complete, and two packages serve as files only (the hand tracker's networks, the hand's shape data),
# so what they ask for at run time is not needed.
$(STAMP): requirements.lock setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo
