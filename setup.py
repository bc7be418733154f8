"""Package metadata. `training/` and `tflite/` are installed as `sodkeras.training` and `sodkeras.tflite`."""

import pathlib
import re

from setuptools import setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "sodkeras/__init__.py").read_text(), re.M).group(1)

LIBRARY = ["sodkeras"] + [
    "sodkeras." + ".".join(path.parent.relative_to(HERE / "sodkeras").parts)
    for path in sorted((HERE / "sodkeras").rglob("__init__.py"))
    if path.parent != HERE / "sodkeras"
]

setup(
    name="sodkeras",
    version=VERSION,
    description="Salient object detection on phones: Keras networks, training, pruning, quantization and LiteRT export",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*LIBRARY, "sodkeras.training", "sodkeras.training.recipes", "sodkeras.tflite", "sodkeras.examples"],
    package_dir={
        "sodkeras": "sodkeras",
        "sodkeras.training": "training",
        "sodkeras.training.recipes": "training/recipes",
        "sodkeras.tflite": "tflite",
        "sodkeras.examples": "examples",
    },
    package_data={
        "sodkeras": ["presets/*.json", "presets/*.keras", "presets/*.tflite"],
        "sodkeras.examples": ["*.jpg", "*.md"],
    },
    install_requires=[  # the lowest versions that were tried: constraints-lowest.txt
        "absl-py>=1.4",
        "ai-edge-litert>=2.1.6",
        "keras>=3.12",
        "matplotlib>=3.8",  # contact sheets and plots
        "numpy>=1.26",
        "onnx>=1.17",  # reads the released U²-Net files
        # opencv-python without its windows: the same cv2, but no libGL is needed, which a bare server or board lacks.
        "opencv-python-headless>=4.11",
        "pillow>=11.3",  # reads pictures; AVIF since then
        "pooch>=1.8",  # downloads, checked and put in place in one step
        "tabulate>=0.9",
        "tensorflow>=2.20",
        "tensorflow-model-optimization>=0.8.1",
        "tf-keras>=2.20.1",  # what tensorflow-model-optimization works with
        "tqdm>=4.66",
    ],
    extras_require={
        "heif": ["pillow-heif>=1.0"],
        "test": [
            "onnxruntime>=1.20",
            "pillow-heif>=1.0",
            "psutil>=5.9",
            "pysodmetrics>=1.5",
            "pytest>=8",
            "pytest-xdist>=3.7",
            "ruff>=0.8",
        ],
        "onnx": ["onnxruntime>=1.20"],  # the peer that benchmarks/ compares with
        "torch": ["torch>=2.6"],  # reads the authors' PyTorch checkpoints
    },
    entry_points={"console_scripts": ["sodkeras = sodkeras.commands.main:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
