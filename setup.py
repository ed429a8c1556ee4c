"""Metadata and dependencies; tool settings live in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    name="hoifield",
    version="0.1.0",
    description="Hand motion, object shape and contact in metres from one ordinary video clip",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["hoifield", "hoifield.*"]), "hoifield.pretrained"],
    package_dir={"hoifield.pretrained": "pretrained"},
    package_data={"hoifield": ["py.typed", "report/assets/*"], "hoifield.pretrained": ["*.safetensors", "*.json"]},
    install_requires=[
        "torch>=2.4",
        "numpy>=1.26,<3",
        "scipy>=1.11",
        "numba>=0.60",
        "scikit-image>=0.22",
        "scikit-learn>=1.4",
        "opencv-python-headless>=4.9",
        "av>=12",
        "pillow>=10",
        "anny>=0.6.2",
        "ai-edge-litert>=2.0",
        "pycolmap>=3.12",
        "trimesh>=4.4",
        "manifold3d>=3.0",
        "safetensors>=0.4",
        "tyro>=0.9",
        "rich>=13.3,<15",
        "jaxtyping>=0.2.30",
    ],
    extras_require={
        "wandb": ["wandb>=0.19"],
        "sam2": ["sam2>=1.1"],
        "ray": ["ray>=2.52"],
        "test": ["pytest>=8", "pytest-timeout", "hypothesis", "beartype"],
        "dev": ["ruff", "mypy"],
    },
    entry_points={"console_scripts": ["hoifield = hoifield.cli.main:main"]},
)
