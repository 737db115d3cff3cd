"""`-T` on the command line: what is sent, and that it waits for nothing."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.binary import Easyllm, RunResult, finish, single_profile_toml
from tests.support.images import gif_1x1

PROFILES = single_profile_toml("http://127.0.0.1:9/v1")
HEAD = '+++\nmodel = "m2"\nsystem = "S"\ntemperature = 0.5\nschema = "s.json"\n+++\n'


@pytest.fixture
def template(easyllm: Easyllm) -> Path:
    """A template named `t`."""
    path = easyllm.home / "config" / "easyllm" / "prompts" / "t.md"
    path.parent.mkdir(parents=True)
    (path.parent / "s.json").write_text('{"type": "object"}')
    path.write_text(HEAD + "{stdin}, {lang}")
    return path


def dry_run(easyllm: Easyllm, *args: str, **more: Any) -> RunResult:
    return easyllm.run(*args, "--dry-run", profiles=PROFILES, **more)


def test_head_and_options(easyllm: Easyllm, template: Path) -> None:
    """The head overrides the profile, and the command line overrides the head."""
    command = ("chat", "-T", "t", "--var", "lang=fr", "hi")
    body = dry_run(easyllm, *command, stdin="text").json["body"]
    assert (body["model"], body["temperature"]) == ("m2", 0.5)
    assert body["messages"][1]["content"] == "text, fr\n\nhi"
    assert body["messages"][0]["content"].startswith("S")
    assert "response_format" in body
    options = ("-m", "m3", "-t", "0", "-s", "T")
    body = dry_run(easyllm, *command, *options, stdin="text").json["body"]
    assert (body["model"], body["temperature"]) == ("m3", 0)
    assert body["messages"][0]["content"].startswith("T")


def test_profile_option_replaces_profile_and_model_of_the_head(
    easyllm: Easyllm, template: Path
) -> None:
    template.write_text('+++\nprofile = "other"\nmodel = "m2"\n+++\nhi')
    body = dry_run(easyllm, "chat", "-T", "t", "-p", "t").json["body"]
    assert body["model"] == "test-model"
    assert "other" in dry_run(easyllm, "chat", "-T", "t").error_line


def test_images_of_vision(easyllm: Easyllm, template: Path) -> None:
    template.write_text("describe")
    for name in ("a.gif", "b.gif"):
        (easyllm.home / name).write_bytes(gif_1x1())
    body = dry_run(easyllm, "vision", "a.gif", "b.gif", "-T", "t").json["body"]
    text, *images = body["messages"][0]["content"]
    assert (text["text"], len(images)) == ("describe", 2)


def test_tpl_2_it_waits_only_for_a_stdin_that_may_be_read(easyllm: Easyllm, template: Path) -> None:
    """A mistake is told, and `-n` is heeded, while the pipe on stdin stays open."""
    reader, writer = os.pipe()
    try:
        for options in ((), ("--var", "lang=fr", "-n")):  # no value; {stdin}, but -n
            child = easyllm.start("chat", "-T", "t", *options, profiles=PROFILES, stdin=reader)
            assert finish(child, None, 10).code == 2
        template.write_text("no places")
        child = easyllm.start("chat", "-T", "t", "-n", "--dry-run", stdin=reader)
        assert finish(child, None, 10).code == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_var_without_a_template(easyllm: Easyllm) -> None:
    ran = dry_run(easyllm, "chat", "--var", "a=b", "hi")
    assert (ran.code, ran.error_line) == (2, "easyllm: --var is for a template: name one with -T")
