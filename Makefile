# Everything happens in .venv; `make demo` needs the light package alone, the rest adds the training set.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format bench clean

demo: $(VENV)/light
	$(BIN)/ligera detect examples/people.jpg --out runs/demo

test: $(VENV)/full
	$(BIN)/python -m pytest --ignore=tests/train
	$(BIN)/python -m pytest tests/train

check: $(VENV)/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest --ignore=tests/train
	$(BIN)/python -m pytest tests/train

format: $(VENV)/full
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/full
	$(BIN)/ligera bench face --vs face-small

$(VENV)/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/full: $(VENV)/light
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,openvino,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
