"""Providers from other packages: found by entry point; an error names the plugin that caused it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from easyllm_cli import LLMService, OpenAIProvider
from easyllm_cli.errors import ConfigError
from easyllm_cli.pipeline.collector import collect
from easyllm_cli.plugins import ENTRY_POINT_GROUP, plugin_names
from easyllm_cli.providers import provider_class
from tests.support import ROOT
from tests.support.asking import messages, request_bodies
from tests.support.binary import Easyllm, chat_answer_script, profile_toml, split_error_line
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn
from tests.unit.test_imports import imported

EXAMPLE = ROOT / "tests" / "support" / "example_plugin"
INSTALL_SECONDS = 120


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which an installer has installed the example package."""
    folder = tmp_path_factory.mktemp("site")
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-cache"]
    subprocess.run([*uv, "--python", sys.executable, "--no-deps", "--no-build-isolation",
                    "--target", folder, EXAMPLE], check=True, timeout=INSTALL_SECONDS)  # fmt: skip
    return folder


def write_package(
    site: Path, code: str, name: str = "easyllm-broken", offers: str = "broken"
) -> Path:
    """Write a package that offers one provider, with the files that an installer writes."""
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(code, "utf-8")
    info = site / f"{module}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{offers} = {module}:Provider\n")
    return site


def on_path(*sites: Path) -> dict[str, str]:
    """The environment variable that lets a child Python import the packages in `sites`."""
    return {"PYTHONPATH": os.pathsep.join(map(str, sites))}


def test_a_plugins_name_needs_no_profile(easyllm: Easyllm, site: Path) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        env = on_path(site) | {"EXAMPLE_BASE_URL": f"{server.url}/v1"}
        ran = easyllm.run("chat", "-p", "example:m", "hi", env=env)
    assert (ran.code, ran.stdout, ran.stderr) == (0, b"Hello\n", "")
    (sent,) = request_bodies(server)
    assert sent["model"] == "m"
    assert sent["messages"] == [{"role": "user", "content": "HI"}]
    assert "authorization" not in server.requests[0].headers


def test_plugin_in_a_profile_gets_the_named_key(easyllm: Easyllm, site: Path) -> None:
    env = on_path(site) | {"EXAMPLE_KEY": "key-of-the-example"}
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        table = profile_toml(f"{server.url}/v1", "example", api_key_env="EXAMPLE_KEY")
        for name in ("t", "child"):
            child = f"{table}[profiles.child]\nextends = 't'\n"
            ran = easyllm.run("chat", "-p", name, "hi", "--json", profiles=child, env=env)
            assert (ran.code, ran.json["provider"], ran.json["profile"]) == (0, "example", name)
    keys = [request.headers["authorization"] for request in server.requests]
    assert keys == ["Bearer key-of-the-example"] * 2


def test_a_dry_run_and_the_models_of_a_plugin(easyllm: Easyllm, site: Path) -> None:
    env = on_path(site) | {"EXAMPLE_BASE_URL": "http://127.0.0.1:9/v1"}
    dry = easyllm.run("chat", "-p", "example:m", "hi", "--dry-run", env=env)
    assert dry.json["body"]["messages"][0]["content"] == "HI"
    listed = easyllm.run("models", "-p", "example", env=env)
    assert listed.code == 6
    assert "http://127.0.0.1:9/v1" in listed.error_line


def test_plugin_without_an_endpoint(easyllm: Easyllm, site: Path) -> None:
    ran = easyllm.run("chat", "-p", "example:m", "hi", env=on_path(site))
    assert ran.code == 2
    assert split_error_line(ran.error_line) == (
        "no endpoint is known for example", "",
        "set endpoint in the profile, or EXAMPLE_BASE_URL",
    )  # fmt: skip


def test_name_suggestions_include_plugins(easyllm: Easyllm, site: Path) -> None:
    ran = easyllm.run("chat", "-p", "exampel", "hi", env=on_path(site))
    assert (ran.code, split_error_line(ran.error_line)[2]) == (2, 'did you mean "example"?')
    wrong = profile_toml("http://127.0.0.1:9/v1", "exampel")
    ran = easyllm.run("chat", "-p", "t", "hi", profiles=wrong, env=on_path(site))
    assert (ran.code, split_error_line(ran.error_line)[2]) == (2, 'did you mean "example"?')
    with pytest.raises(ConfigError, match='did you mean "openai"'):
        provider_class("opnai")


async def test_the_library_finds_a_plugin_too(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    assert plugin_names() == ["example"]
    assert issubclass(provider_class("example"), OpenAIProvider)
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        config = {"provider": "example", "endpoint": f"{server.url}/v1", "model": "m"}
        completion = await collect(LLMService().stream(config, messages("hi")))
    assert (completion["text"], completion["provider"]) == ("Hello", "example")


def test_built_in_names_import_no_plugin(easyllm: Easyllm, site: Path) -> None:
    write_package(easyllm.home, "raise SystemExit('imported')", offers="openai")
    names = imported(easyllm, "chat", "hi", env=on_path(easyllm.home))
    assert (
        not {"easyllm_cli.plugins", "easyllm_cli.providers.plugin_errors", "easyllm_broken"} & names
    )


CLASS = """
from easyllm_cli import BaseLLMProvider
from easyllm_cli.events import Done, Start, Text
class Provider(BaseLLMProvider):
    async def events(self, messages, stream):
        yield Start("broken", "m")
        yield Text("half")
        {events}
    async def models(self):
        {models}
"""
BROKEN = {
    "no module": ("import no_such_module_here", "No module named 'no_such_module_here'"),
    "ends Python": ("raise SystemExit(3)", "SystemExit: 3"),
    "wrong text": ("x = = 1", "SyntaxError"),
    "no such name": ("x = 1", "has no attribute 'Provider'"),
    "a function": ("def Provider(profile): pass", "not a subclass of BaseLLMProvider"),
    "another class": ("class Provider: pass", "not a subclass of BaseLLMProvider"),
    "abstract": (
        "from easyllm_cli import BaseLLMProvider as B\nclass Provider(B): pass",
        "does not define events and models",
    ),
    "constructor": (
        CLASS.format(events="", models="pass") + "    def __init__(self, profile): 1 / 0",
        "ZeroDivisionError: division by zero",
    ),
    "events": (CLASS.format(events="raise KeyError('x')", models="pass"), "KeyError: 'x'"),
    "wrong event": (CLASS.format(events="yield 'half'", models="pass"), "str, not an Event"),
    "no generator": (
        CLASS.format(events="", models="pass")
        + "class Provider(Provider):\n    async def events(self, messages, stream): return []",
        "events is not an async generator",
    ),
}


def test_a_plugin_that_cannot_be_closed_is_named(easyllm: Easyllm, tmp_path: Path) -> None:
    """`models` reports it; `chat` closes nothing after it has printed the answer."""
    code = CLASS.format(events="yield Done('stop', True)", models="return []")
    env = on_path(write_package(tmp_path, code + "    async def aclose(self): raise KeyError('x')"))
    ran = easyllm.run("models", "-p", "broken", env=env)
    assert ran.code == 2
    assert "KeyError: 'x'" in ran.error_line
    assert "broken" in ran.error_line


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_in_one_line(easyllm: Easyllm, tmp_path: Path, case: str) -> None:
    code, says = BROKEN[case]
    env = on_path(write_package(tmp_path, code))
    ran = easyllm.run("chat", "-p", "broken", "hi", env=env)
    assert (ran.code, ran.stdout) == (2, b"")
    line = ran.error_line
    assert says in line
    assert "easyllm-broken 1.5 (broken = easyllm_broken:Provider)" in line


STEPS = {
    "per_answer_copy": ("def per_answer_copy(self)", ["chat", "hi"]),
    "has_inline_reasoning": ("def has_inline_reasoning(self)", ["chat", "hi"]),
    "reasons": ("async def reasons(self)", ["doctor", "-m", "m"]),
    "check_key": ("async def check_key(self)", ["doctor"]),
    "matches_model": ("def matches_model(self, model_id)", ["doctor"]),
}


@pytest.mark.parametrize("step", STEPS)
def test_error_in_any_method_names_the_plugin(easyllm: Easyllm, tmp_path: Path, step: str) -> None:
    head, (command, *words) = STEPS[step]
    code = CLASS.format(events="yield Done('stop', True)", models="return [Model('m')]")
    code = code.replace("Done,", "Done, Model,") + f"    {head}: raise KeyError('x')\n"
    env = on_path(write_package(tmp_path, code))
    ran = easyllm.run(command, "-p", "broken", *words, env=env)
    output = ran.stdout.decode() + ran.stderr
    assert ran.code == 2, output
    assert "KeyError: 'x'" in output
    assert "easyllm-broken 1.5" in output


def test_error_while_building_a_request_names_the_plugin(easyllm: Easyllm, tmp_path: Path) -> None:
    code = """
from easyllm_cli import OpenAIProvider
class Provider(OpenAIProvider):
    def message(self, message): raise KeyError('x')
"""
    env = on_path(write_package(tmp_path, code)) | {"BROKEN_BASE_URL": "http://127.0.0.1:9/v1"}
    ran = easyllm.run("chat", "-p", "broken:m", "hi", "--dry-run", env=env)
    assert (ran.code, ran.stdout) == (2, b"")
    assert "easyllm-broken 1.5" in ran.error_line


def test_error_in_add_hint_keeps_the_text(easyllm: Easyllm, tmp_path: Path) -> None:
    code = CLASS.format(events="raise BusyError('no', retryable=False)", models="pass")
    code = "from easyllm_cli import BusyError\n" + code
    code += "    async def add_hint(self, error): raise KeyError('x')\n"
    env = on_path(write_package(tmp_path, code))
    ran = easyllm.run("chat", "-p", "broken", "hi", "--json", env=env)
    assert (ran.code, ran.json["text"], ran.json["complete"]) == (2, "half", False)
    assert "easyllm-broken 1.5" in ran.error_line


@pytest.mark.parametrize("models", ["return ['m']", "return 5", "raise KeyError('x')"])
def test_error_in_models_names_the_plugin(easyllm: Easyllm, tmp_path: Path, models: str) -> None:
    env = on_path(write_package(tmp_path, CLASS.format(events="", models=models)))
    ran = easyllm.run("models", "-p", "broken", env=env)
    assert (ran.code, ran.stdout) == (2, b"")
    assert "easyllm-broken 1.5" in ran.error_line


def test_partial_answer_of_a_failing_plugin_is_saved(easyllm: Easyllm, tmp_path: Path) -> None:
    env = on_path(
        write_package(tmp_path, CLASS.format(events="raise KeyError('x')", models="pass"))
    )
    ran = easyllm.run("chat", "-p", "broken", "hi", env=env)
    (partial,) = easyllm.partials()
    assert partial.read_text("utf-8") == "half"
    assert str(partial) in ran.error_line
    ran = easyllm.run("chat", "-p", "broken", "hi", "--json", env=env)
    assert (ran.code, ran.json["text"], ran.json["complete"]) == (2, "half", False)
    assert ran.json["error"]["kind"] == "config"


def test_debug_shows_where_a_plugin_failed(easyllm: Easyllm, tmp_path: Path) -> None:
    env = on_path(
        write_package(tmp_path, CLASS.format(events="raise KeyError('x')", models="pass"))
    )
    ran = easyllm.run("chat", "-p", "broken", "hi", "--debug", env=env)
    assert "easyllm_broken.py" in ran.stderr


def test_easyllm_error_of_a_plugin_is_shown_unchanged(easyllm: Easyllm, tmp_path: Path) -> None:
    code = "from easyllm_cli.errors import BusyError\n" + CLASS.format(
        events="raise BusyError('too many', retryable=False)", models="pass"
    )
    ran = easyllm.run("chat", "-p", "broken", "hi", env=on_path(write_package(tmp_path, code)))
    assert (ran.code, split_error_line(ran.error_line)[0]) == (5, "too many")


def test_two_packages_with_the_same_provider_name(easyllm: Easyllm, tmp_path: Path) -> None:
    for name in ("easyllm-one", "easyllm-two"):
        write_package(tmp_path, "raise SystemExit('imported')", name)
    ran = easyllm.run("chat", "-p", "broken", "hi", env=on_path(tmp_path))
    assert ran.code == 2
    assert {"easyllm-one 1.5", "easyllm-two 1.5"} <= set(
        re.findall(r"easyllm-(?:one|two) 1\.5", ran.error_line)
    )
