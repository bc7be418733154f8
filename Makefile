.PHONY: install lint test demo bench android web arm

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

# The app's tests on the JVM, and an APK without an inference runtime, of the models that `make demo` wrote.
android:
	android_demo/make_apk.sh

# The page, served on this machine, with the models that `make demo` wrote.
web:
	cd web_demo && npm ci && node build.mjs --models=../out/demo && python3 -m http.server --directory dist 8000

# Instructions of one inference on an emulated Cortex-A76: not a time. Needs Debian's qemu-user.
arm:
	benchmarks/arm/setup.sh out/arm
	benchmarks/arm/run.sh out/arm out/demo/*.tflite > out/arm/counts.csv
	cat out/arm/counts.csv
