# Everything runs in .venv, made from exact versions (requirements.lock) with nothing else installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-for-tests
export OMP_WAIT_POLICY := passive
export PYTHONUNBUFFERED := 1

.PHONY: demo test install lint clean

demo: $(STAMP)
	$(BIN)/hoifield synth demo/clip --object mug --seed 0
	$(BIN)/hoifield fit --video demo/clip/clip.mp4 --out demo/run --preset draft
	@echo "report: demo/run/report/report.html"

test: $(TEST_STAMP) lint
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

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

$(TEST_STAMP): $(STAMP) requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-test.lock
	touch $(TEST_STAMP)

clean:
	rm -rf $(VENV) demo
