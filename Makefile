# Every target works on a fresh machine with Python >= 3.11: it makes .venv by itself.
PYTHON ?= python3
FUZZ_SECONDS ?= 120
UV_VERSION := 0.13.9
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv

.DEFAULT_GOAL := help
