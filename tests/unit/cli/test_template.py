"""Templates (-T): every byte of stdin and words arrives, and a head sets only what it may."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easyllm_cli.cli.template import Template, load_template
from easyllm_cli.config.paths import template_names
from easyllm_cli.config.settings import SETTINGS
from easyllm_cli.errors import ConfigError, UsageError

# Texts that look like placeholders, so that one which is filled in twice would be seen.
TEXTS = st.lists(
    st.sampled_from(["{", "}", "{{", "stdin", "{prompt}", "{lang}", "a", "ü", "\n", "\r\n", " "])
).map("".join)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of templates."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "easyllm" / "prompts"
    made.mkdir(parents=True)
    return made


def load(folder: Path, text: str, *variables: str, prompt: str = "words") -> Template:
    path = folder / "t.md"
    path.write_text(text, newline="")
    return load_template("t", list(variables), prompt)


@given(
    stdin=TEXTS, words=TEXTS.filter(lambda text: "{stdin}" not in text), value=TEXTS,
    placeholders=st.lists(st.sampled_from(["stdin", "prompt", "lang"]), max_size=4),
)  # fmt: skip
def test_tpl_1_every_byte_of_stdin_and_words_arrives(
    stdin: str, words: str, value: str, placeholders: list[str]
) -> None:
    parts = ["<"]
    for place in placeholders:
        parts += [place, "|"]
    sent = Template({}, parts, {"lang": value}).fill(words, stdin)
    values = {"stdin": stdin, "prompt": words, "lang": value}
    filled = "".join(values[part] if index % 2 else part for index, part in enumerate(parts))
    assert filled in sent
    rest = sent.replace(filled, "", 1) if filled != sent else ""
    missing = [values[name] for name in ("stdin", "prompt") if name not in placeholders]
    assert rest.replace("\n", "") == "".join(missing).replace("\n", "")
    assert all(text in sent for text in missing)


@pytest.mark.parametrize(
    ("text", "stdin", "prompt", "wanted"),
    [
        ("Say {prompt}.\n", "", "it", "Say it."),
        ("Sum up.\n", "text\n", "", "text\n\nSum up."),
        ("Sum up.", "text", "in German", "text\n\nSum up.\n\nin German"),
        ("A {stdin} B", "{prompt}", "x", "A {prompt} B\n\nx"),
        ("A {prompt}", "in", "x {stdin} y", "A x in y"),
        ('{"a": {{}}, "b": [{ }]} }}', "", "x", '{"a": {}, "b": [{ }]} }\n\nx'),
        ("{{lang}} {{{prompt}}}", "", "x", "{lang} {x}"),
        ("{lang}-{lang}", "", "", "de-de"),
        ("A\r\n", "", "", "A"),
        ("", "", "only words", "only words"),
    ],
)
def test_placeholders(folder: Path, text: str, stdin: str, prompt: str, wanted: str) -> None:
    variables = ["lang=de"] if "{lang}-" in text else []
    assert load(folder, text, *variables, prompt=prompt).fill(prompt, stdin) == wanted


@pytest.mark.parametrize(
    ("text", "variables", "prompt", "error"),
    [
        ("{lang}", [], "", r"the template's {lang} has no value .*--var lang="),
        ("{lang}", ["lan=x"], "", r'no placeholder {lan} .*"lang"'),
        ("{stdin}", ["stdin=x"], "", "does not set {stdin}.*pipe"),
        ("{prompt}", ["prompt=x"], "a", "does not set {prompt}.*words"),
        ("{lang}", ["lang"], "", '--var "lang" has no value'),
        ("{prompt}", [], " ", "the template needs a prompt"),
    ],
)
def test_a_place_without_a_value(
    folder: Path, text: str, variables: list[str], prompt: str, error: str
) -> None:
    with pytest.raises(UsageError) as raised:
        load(folder, text, *variables, prompt=prompt)
    import re

    assert re.search(error.replace("{", r"\{"), f"{raised.value} {raised.value.hint}")


def test_defaults_and_variables(folder: Path) -> None:
    text = '+++\ndefaults = {lang = "en", unused = "x"}\n+++\n{lang}'
    assert load(folder, text).fill("", "") == "en"
    assert load(folder, text, "lang=a=b").fill("", "") == "a=b"


@pytest.mark.parametrize(
    "name",
    sorted({*SETTINGS, "command", "env"} - {"model", "system", "schema", "think", "temperature"}),
)
def test_tpl_3_a_head_names_no_key_endpoint_command_or_header(folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f'unknown key "{name}" in the head'):
        load(folder, f'+++\n{name} = "x"\n+++\n')


@pytest.mark.parametrize("schema", ["/etc/passwd", "../s.json", "a/s.json", "~/s.json", ""])
def test_tpl_3_a_schema_stands_beside_the_template(folder: Path, schema: str) -> None:
    with pytest.raises(ConfigError, match="must name a file beside the template"):
        load(folder, f'+++\nschema = "{schema}"\n+++\n')
    assert load(folder, '+++\nschema = "s.json"\n+++\n').head["schema"] == str(folder / "s.json")


@pytest.mark.parametrize(
    "line",
    ["model = 1", "think = 1", "think = 'yes'", "temperature = true", "temperature = 'hot'",
     "temperature = nan", "temperature = 3",
     "defaults = {stdin = 'x'}", "defaults = {prompt = 'x'}",
     "defaults = 'x'", "defaults = {a = 1}", "system = []", "=",
     "a = " + "[" * 9999],
)  # fmt: skip
def test_a_wrong_head(folder: Path, line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(folder, f"+++\n{line}\n+++\n")
    assert str(folder / "t.md") in str(raised.value.where)


@pytest.mark.parametrize("text", ["+++\nsystem = 'S'\nhi", "+++", "\ufeff+++ \r\n", "+++\n ++++\n"])
def test_a_head_without_an_end_is_not_sent_as_text(folder: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="head has no end"):
        load(folder, text)


def test_plus_signs_that_are_no_head(folder: Path) -> None:
    for text in ("+++ a\nhi", "++++\nhi", "x\n+++\n"):
        assert load(folder, text, prompt="").fill("", "") == text.removesuffix("\n")


def test_a_name_too_long_for_a_file(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no template"):
        load_template("x" * 300, [], "")


def test_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a slash is never a file of the current folder."""
    (folder / "b.md").touch()
    (folder / "a.md").touch()
    (folder / "folder.md").mkdir()
    assert template_names() == ["a", "b"]
    monkeypatch.chdir(folder)
    Path("here").touch()
    with pytest.raises(UsageError, match='no template "here"'):
        load_template("here", [], "")
    assert load_template("./here", [], "").parts == [""]
    with pytest.raises(UsageError, match="cannot read the template"):
        load_template("./missing", [], "")


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="no such names there")
def test_a_pipe_of_the_shell() -> None:
    """As in `-T <(command)`: a link that leads to no name."""
    reader, writer = os.pipe()
    with open(writer, "w") as file:
        file.write("Say {prompt}")
    try:
        assert load_template(f"/dev/fd/{reader}", [], "it").fill("it", "") == "Say it"
    finally:
        os.close(reader)


@pytest.mark.parametrize("mode", [0o602, 0o620])
def test_a_template_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    (folder / "t.md").write_text("hi")
    (folder / "t.md").chmod(mode)
    with pytest.raises(ConfigError, match="can be written by others"):
        load_template("t", [], "")
