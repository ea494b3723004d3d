"""Packaging of paceline: all metadata lives here, ``pyproject.toml`` only configures the tools.

The six packages are installed as they lie in the repository, so ``import lut`` in a checkout and ``import lut``
after ``pip install`` find the same folder. ``docs/decisions/0001-packaging.md`` says why.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup

README = Path(__file__).with_name("README.md")

# Listed one by one: a folder that is not named here is not shipped, and tests/test_packaging.py compares this
# list with what lies in the repository.
PACKAGES = [
    "agent",
    "agent.runtimes",
    "devices",
    "devices.transports",
    "latency",
    "latency.architecture_models",
    "latency.cost_models",
    "latency.operators",
    "latency.profilers",
    "latency.remote",
    "lut",
    "lut.foreign",
    "paceline",
    "paceline.commands",
    "paceline.report",
    "search",
    "search.data",
    "search.evaluators",
    "search.known_architectures",
    "search.spaces",
    "search.strategies",
]

PACKAGE_DATA = {
    "agent": ["py.typed"],
    "devices": ["*.toml", "py.typed"],
    "latency": ["py.typed"],
    "lut": ["py.typed"],
    "paceline": ["py.typed"],
    "paceline.report": ["*.html"],
    "search": ["py.typed"],
    "search.spaces": ["*.toml"],
}

# No upper bounds: a cap on a library is a conflict handed to whoever installs paceline beside something else.
REQUIREMENTS = [
    "numpy>=1.26",
    "onnx>=1.16",
    "pillow>=10",
    "pyyaml>=6",
    "rich>=13",
    "safetensors>=0.4",
    "scikit-learn>=1.4",
    "scipy>=1.11",
    "tomlkit>=0.12",
    "torch>=2.6",
    "typer>=0.15.4",
]

# There is no `all`: `ort` and `ort-gpu` cannot live in one environment (both own the folder `onnxruntime/`, and
# the one installed last wins without a word), and `tensorrt` is fetched from NVIDIA's own index while it installs.
EXTRAS = {
    # From 1.24 on a session tells which provider each of its nodes was given to; without that, a GPU's provider that
    # fell back to the processor would be timed as if it were the GPU.
    "ort": ["onnxruntime>=1.24"],
    "ort-gpu": ["onnxruntime-gpu>=1.24", "nvidia-ml-py>=12"],
    # CUDA from Python and the driver's own readings: what the profilers of TensorRT and of CUDA events stand on.
    "cuda": ["cuda-bindings>=12.6", "nvidia-ml-py>=12"],
    "tensorrt": ["tensorrt>=10", "cuda-bindings>=12.6", "nvidia-ml-py>=12"],
    "tensorrt-rtx": ["tensorrt-rtx>=1.4", "cuda-bindings>=12.6", "nvidia-ml-py>=12"],
    "pycuda": ["pycuda>=2024.1"],
    "openvino": ["openvino>=2024.0"],
    "parquet": ["pyarrow>=15"],
    "ssh": ["asyncssh>=2.20"],
    "ray": ["ray>=2.40"],
    "report": ["jinja2>=3.1", "matplotlib>=3.8"],
    # From 5 on a trial can be told how far it is above a limit (Trial.set_constraint).
    "optuna": ["optuna>=5"],
    "tensorboard": ["tensorboard>=2.14"],
    # Tools, with exact versions in constraints.txt, and what else only tests and some commands need.
    "dev": [
        "build",
        "hypothesis",
        "import-linter>=2.5",
        "mypy",
        "optuna>=5",
        "pyarrow>=15",
        "pymoo>=0.6",
        "pytest>=8",
        "pytest-xdist>=3.6",
        "pyyaml",
        "ruff",
        "scikit-learn>=1.4",
        "scipy-stubs",
        "setuptools>=77",
        "tensorboard>=2.14",
        "types-PyYAML",
        "wheel",
    ],
}

setup(
    name="paceline",
    version="0.1.0",
    description="Times every candidate block of a network on the device it will run on, and searches under a budget.",
    long_description=README.read_text(encoding="utf-8") if README.is_file() else "",
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["neural architecture search", "latency", "lookup table", "TensorRT", "ONNX Runtime", "benchmark"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: System :: Benchmark",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    package_dir={"": "."},
    packages=PACKAGES,
    package_data=PACKAGE_DATA,
    include_package_data=False,
    zip_safe=False,
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [
            "paceline = paceline.command_line:main",
            "profile-device = paceline.command_line:profile_device",
        ],
    },
)
