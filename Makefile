.PHONY: install lint test demo bench

install:
	pip install -e ".[test]"

lint:
	ruff check .
	ruff format --check .

test:
	python -m pytest

demo:
	sodkeras demo

# Against peers, in one run each; the rows go to benchmarks/*.csv.
bench:
	python benchmarks/onnx_runtime.py
	python benchmarks/float_noise.py
