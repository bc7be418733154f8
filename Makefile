.PHONY: install lint check test demo bench android web arm

install:
	pip install -e ".[test]"

lint:
	ruff check .
	ruff format --check .

# All that needs no other process, no training, browser, JVM or research data: a few minutes.
check: lint
	mypy
	python -m pytest -n 2 --dist=loadfile -m "not (process or train or browser or jvm or reference)"

test:
	python -m pytest

demo:
	sodkeras demo

# Against peers, in one run each; the rows go to tflite/benchmarks/*.csv.
bench:
	python tflite/benchmarks/onnx_runtime.py
	python tflite/benchmarks/float_noise.py

# What the app and the page run: the networks that come with the package, or MODELS=out/demo for what `make demo` wrote.
MODELS ?= sodkeras/presets

# The app's tests on the JVM, and an APK without an inference runtime.
android:
	android_demo/make_apk.sh $(MODELS)

# The page, served on this machine.
web:
	cd web_demo && npm ci && node build.mjs --models=$(abspath $(MODELS)) && python3 -m http.server --directory dist 8000

# What the networks compute on emulated Cortex-A76 and A53, and in how many instructions: not a time. Needs Debian's
# qemu-user; an hour or two. The rows go to tflite/arm/instructions.csv.
arm:
	tflite/arm/setup.sh out/arm
	python tflite/arm/networks.py --out=out/arm/models
	python tflite/arm/instructions.py out/arm out/arm/models/*.tflite sodkeras/presets/*.tflite
	python tflite/arm/half_precision.py out/arm sodkeras/presets/*_float16.tflite --pictures=examples \
		--csv=out/arm/half_precision.csv
