"""Code blocks as `-x` cuts them out of an answer."""

import pytest

from easyllm_cli.errors import IncompleteAnswer
from easyllm_cli.render.code import code_blocks

CASES = {
    "plain": ("Do:\n\n```sh\nls -l\n```\nthat is all", "ls -l\n"),
    "inline triple": ("```ls``` lists files.\n\n```sh\nls -l\n```", "ls -l\n"),
    "inline code in text": ("Use `ls` or ``ls -l``.\n\n```\nls\n```\n", "ls\n"),
    "indented": ("  ```py\n  if x:\n      y()\n  ```", "if x:\n    y()\n"),
    "indented less inside": ("   ```\n a\n\n    b\n   ```", "a\n\n b\n"),
    "CRLF": ("Hi\r\n```sh\r\nls\r\npwd\r\n```\r\n", "ls\npwd\n"),
    "list item": ("1. Run:\n\n   ```sh\n   ls\n     -l\n   ```\n2. Done", "ls\n  -l\n"),
    "tab": ("\t```\n\tls\n\t```", "ls\n"),
    "tildes": ("~~~sh\nls\n~~~\n", "ls\n"),
    "back-ticks in tildes": ("~~~md\n```\nls\n```\n~~~\n", "```\nls\n```\n"),
    "longer fence": ("````md\n```\nls\n```\n````\n", "```\nls\n```\n"),
    "a closer that is longer": ("```\nls\n`````\n", "ls\n"),
    "an opener is no closer": ("```md\na\n```sh\nls\n```\n", "a\n```sh\nls\n"),
    "empty": ("```\n```\n", ""),
    "empty line": ("```\n\n```\n", "\n"),
    "blank lines stay": ("```\na\n\n\nb\n```\n", "a\n\n\nb\n"),
    "the first of two": ("```\na\n```\n```\nb\n```\n", "a\n"),
    "Unicode": ("```\nprint('ä\u2028😀')\n```", "print('ä\u2028😀')\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_first(name: str) -> None:
    text, code = CASES[name]
    assert code_blocks(text, every=False) == code


def test_every() -> None:
    text = "A:\n```sh\na\n```\nB:\n\n~~~\nb\n~~~\n\n- C:\n  ```\n  c\n  ```\n\n```\n```\n"
    assert code_blocks(text, every=True) == "a\nb\nc\n"
    assert code_blocks(text, every=False) == "a\n"


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("text", ["", "ls", "use `ls`", "```ls``` lists files.", "``\nls\n``"])
def test_none(text: str, every: bool) -> None:
    with pytest.raises(IncompleteAnswer) as raised:
        code_blocks(text, every)
    assert not raised.value.retryable


def test_a_block_that_never_closes() -> None:
    """What the model forgot; one that was cut has failed before."""
    assert code_blocks("```sh\nls\n", every=False).rstrip("\n") == "ls"
