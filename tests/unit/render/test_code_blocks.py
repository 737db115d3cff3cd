"""Code blocks as `-x` extracts them from an answer."""

import pytest

from easyllm_cli.errors import IncompleteAnswer
from easyllm_cli.render.code_blocks import extract_code_blocks

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
    "an empty one first": ("```\n```\n\n```sh\nls\n```\n", "ls\n"),
    "blank lines first": ("```sh\n\n \t\n```\n~~~\nls\n~~~\n", "ls\n"),
    "behind words": ("Sure! ```sh\nls\n```\nDone.", "ls\n"),
    "behind words, no info": ("Sure: ```\nls\n```", "ls\n"),
    "behind words, never closed": ("Sure! ```sh\nls", "ls\n"),
    "behind words and code": ("Use `ls` or ``ls``: ```sh\nls\n```", "ls\n"),
    "behind words with attributes": ('See ```c++ title="a b"\nint x;\n```', "int x;\n"),
    "words about a fence": ("Put it behind ```\n\n```sh\nls\n```\n", "ls\n"),
    "a sentence with a fence": ("A ``` opens a block.\n\n```sh\nls\n```\n", "ls\n"),
    "a fence as code in the line": ("Write ```` ``` ````\n```sh\nls\n```\n", "ls\n"),
    "list marker": ("- ```sh\n  ls\n    -l\n  ```\n", "ls\n  -l\n"),
    "number": ("1. ```sh\n   ls\n   ```\n2. Done", "ls\n"),
    "quote": ("> Run:\n> ```sh\n> ls\n>   -l\n>\n> pwd\n> ```\nDone", "ls\n  -l\n\npwd\n"),
    "a quote that ends": ("> ```sh\n> ls\nThen go on.", "ls\n"),
    "closed behind the code": ("```sh\nls```\nThat is all.", "ls\n"),
    "closed behind the code, then another": ("```sh\nls```\n\n```py\nx\n```\n", "ls\n"),
    "a fence behind code that is code": ('```py\nx = "```\ny\n"\n```\n', 'x = "```\ny\n"\n'),
    "blank lines stay": ("```\na\n\n\nb\n```\n", "a\n\n\nb\n"),
    "the first of two": ("```\na\n```\n```\nb\n```\n", "a\n"),
    "Unicode": ("```\nprint('ä\u2028😀')\n```", "print('ä\u2028😀')\n"),
}
NO_CODE = [
    "```\n```\n",
    "```sh\n\n\n```\n",
    "```\n \n```\n~~~\n~~~\n",
    "> ```\n> \n> ```",
    "End it with ```",
    "End it with ```\nand go on.",
    "Run ```ls``` now\nand then ```pwd```.",
    "```",
]


@pytest.mark.parametrize("name", CASES)
def test_first_block(name: str) -> None:
    text, code = CASES[name]
    assert extract_code_blocks(text, all_blocks=False) == code


def test_all_blocks() -> None:
    text = "A:\n```sh\na\n```\nB:\n\n~~~\nb\n~~~\n\n- C:\n  ```\n  c\n  ```\n\n```\n```\n"
    assert extract_code_blocks(text, all_blocks=True) == "a\nb\nc\n"
    assert extract_code_blocks(text, all_blocks=False) == "a\n"
    text = "```\n```\nA: ```sh\na```\nB:\n> ```sh\n> b\n> ```\n\n```\n \n```\n```py\nc\n```"
    assert extract_code_blocks(text, all_blocks=True) == "a\nb\nc\n"


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "text", ["", "ls", "use `ls`", "```ls``` lists files.", "``\nls\n``", *NO_CODE]
)
def test_no_block(text: str, every: bool) -> None:
    with pytest.raises(IncompleteAnswer) as raised:
        extract_code_blocks(text, every)
    assert not raised.value.retryable


def test_a_block_that_never_closes() -> None:
    """The model forgot the end of the block; an answer that was cut fails earlier."""
    assert extract_code_blocks("```sh\nls\n", all_blocks=False).rstrip("\n") == "ls"
