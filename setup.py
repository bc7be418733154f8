"""What pyproject.toml cannot say: the photos in examples/ are installed as `sodkeras.examples`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["sodkeras*"]), "sodkeras.examples"],
    package_dir={"sodkeras.examples": "examples"},
)
