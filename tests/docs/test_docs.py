"""Tables, profile settings, exit codes and limits in the documents match the code."""

import re
import tomllib
from pathlib import Path

import pytest

from easyllm_cli.cli.prompt_text import MAX_TEXT_FILE_BYTES
from easyllm_cli.cli.stdin import MAX_STDIN_BYTES as MAX_STDIN_BYTES
from easyllm_cli.config.profiles_file import read_profiles
from easyllm_cli.config.setting_values import Setting
from easyllm_cli.config.settings import AUTO_PROVIDER, SETTINGS, TOP_LEVEL_SETTINGS, Timeout
from easyllm_cli.errors import EXIT_CODES, EasyLLMError
from easyllm_cli.events import MAX_TEXT_BYTES
from easyllm_cli.vendors import VENDORS
from tests.support import ROOT

EXAMPLE = ROOT / "profiles.example.toml"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def every_error() -> list[type[EasyLLMError]]:
    classes = [EasyLLMError]
    for error in classes:
        classes += error.__subclasses__()
    return classes


def test_readme_exit_codes_match_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", read("README.md"), re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == EXIT_CODES


def test_every_error_class_has_a_listed_code_and_a_unique_kind() -> None:
    kinds = [error.kind for error in every_error()]
    assert len(kinds) == len(set(kinds))
    assert {error.exit_code for error in every_error()} <= set(EXIT_CODES)
    listed = re.search(r"`error\.kind` is one of `([^`]+)`", read("docs/json.md"))
    assert listed is not None
    assert set(listed[1].split()) == set(kinds)


def test_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) < 220


def test_the_index_names_every_page() -> None:
    links = re.findall(r"\]\(([^()#]+)\)", read("docs/README.md"))
    pages = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".json")}
    assert sorted(name for name in links if "/" not in name) == sorted(pages - {"README.md"})


def test_example_uses_every_setting_and_every_provider() -> None:
    document = tomllib.loads(EXAMPLE.read_text("utf-8"))
    tables = document.pop("profiles")
    assert set(document) == set(TOP_LEVEL_SETTINGS)
    assert {key for table in tables.values() for key in table} == set(SETTINGS)
    named = {table.get("provider") for table in tables.values()}
    assert named | {"openrouter"} == {*VENDORS, AUTO_PROVIDER, None}


def test_every_example_profile_can_be_read(tmp_path: Path) -> None:
    copy = tmp_path / "profiles.toml"
    copy.write_bytes(EXAMPLE.read_bytes())
    copy.chmod(0o600)
    profiles = read_profiles(str(copy))
    for name in tomllib.loads(EXAMPLE.read_text("utf-8"))["profiles"]:
        assert profiles.resolve_profile(name).provider in (*VENDORS, AUTO_PROVIDER)


def row(setting: Setting) -> str:
    """The row that docs/profiles.md must hold for a setting."""
    kinds = setting.type.replace(" | None", "").replace("Secret", "str").replace(" | ", ", ")
    default = setting.default
    shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    if default in (None, ""):
        shown = ""
    elif isinstance(default, Timeout):
        shown = "above"
    words = ": " + ", ".join(setting.choices) if setting.choices else ""
    return f"| `{setting.name}` | {kinds} | {shown} | {setting.help}{words} |"


def test_tables_of_settings_match_the_declarations() -> None:
    """Both tables of docs/profiles.md: the file's top level, then a profile; in their order."""
    rows = re.findall(r"^\| `\w+` \|.*", read("docs/profiles.md"), re.MULTILINE)
    assert rows == [row(each) for each in (*TOP_LEVEL_SETTINGS.values(), *SETTINGS.values())]


def test_limits_match_the_code() -> None:
    page = read("docs/troubleshooting.md")
    assert f"the answer is longer than {MAX_TEXT_BYTES} bytes" in page
    assert f"| text and reasoning of an answer | {MAX_TEXT_BYTES >> 20} MiB, or" in page
    assert f"| a text file (`-f`), stdin | {MAX_TEXT_FILE_BYTES >> 20} MiB |" in page
    assert MAX_TEXT_FILE_BYTES == MAX_STDIN_BYTES


DOCUMENTS = ["README.md", "SECURITY.md", *map(str, (ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """GitHub's anchors for a page's headings: lower case, hyphens for blanks, no punctuation."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = path.read_text("utf-8")
    links = re.findall(r"\]\(([^()\s]+)\)", text)
    assert len(links) == text.count("]("), "a link has a form that this test does not check"
    for link in links:
        target, _, anchor = link.partition("#")
        if "://" not in link:
            page = path.parent / target if target else path
            assert page.exists(), f"{path.name} links to {link}"
            assert not anchor or anchor in anchors(page), f"{path.name} links to {link}"


def test_readme_compares_the_releases_that_were_measured() -> None:
    head = re.search(r"^\| \| easyllm \|.*$", read("README.md"), re.MULTILINE)
    assert head is not None
    named = re.findall(r"\| ([a-z-]+) (\d[\d.]*) (?=\|)", head[0])
    assert len(named) == 3
    page = read("docs/comparison.md")
    for name, version in named:
        assert f"{name} {version}" in page
    (cpu,) = re.findall(r"^\| CPU time of a short chat \|.*$", page, re.MULTILINE)
    for times in re.findall(r"([\d.]+) times", cpu):
        assert read("README.md").count(f"{times} times") == 1
        assert f"| {times} × |" in read("README.md")
