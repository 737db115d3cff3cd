"""`easyllm init` with the extra `local` and the demo model installed."""

import tomllib

from easyllm_cli.cli.discovery import LOCAL_SERVERS
from easyllm_cli.providers.local.model_files import DEMO_MODEL
from easyllm_cli.vendors import get_endpoint_variable
from tests.support.binary import Easyllm
from tests.support.servers import setup
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

NOWHERE = {get_endpoint_variable(name): "http://127.0.0.1:9" for name in LOCAL_SERVERS}


def test_the_embedded_model_is_the_default_without_a_server(
    easyllm: Easyllm, servers_set_up: None
) -> None:
    env = {**NOWHERE, "OPENAI_API_KEY": "sk-very-secret-0123456789"}
    other_file = ("--profiles", str(easyllm.home / "without.toml"))
    assert "demo model" not in easyllm.run("init", "--yes", *other_file, env=env).stderr
    folder = easyllm.home / "data" / "easyllm" / "models"
    folder.mkdir(parents=True)
    (folder / f"{DEMO_MODEL}.gguf").symlink_to(setup.MODEL)
    assert easyllm.run("init", "--yes", env=env).code == 0
    profiles = tomllib.loads(easyllm.config.read_text())
    local, openai = {"provider": "local"}, {"provider": "openai"}
    assert profiles == {"default_profile": "local", "profiles": {"local": local, "openai": openai}}
    ran = easyllm.run("chat", "--max-tokens", "5", "Say hi", env=env, timeout=60)
    assert (ran.code, bool(ran.stdout.strip())) == (0, True)
    easyllm.config.unlink()
    with StandIn(OpenAIServer().handle) as server:
        env["VLLM_BASE_URL"] = f"{server.url}/v1"
        assert easyllm.run("init", "--yes", env=env).code == 0
    profiles = tomllib.loads(easyllm.config.read_text())
    assert (profiles["default_profile"], [*profiles["profiles"]]) == (
        "vllm",
        ["vllm", "local", "openai"],
    )
