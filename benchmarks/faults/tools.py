"""The tools that are tested, each called as its own documentation says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.installs import CHECKOUT, Venv, environment

MODEL = "fault-model"
KEY = "sk-a-key-of-this-benchmark"
PROMPT = "What is a telegraph?"
NAME = "NAME"  # placeholder for a key's name in a tool's arguments
OUR_KEYS = ("keys", "set", NAME)
HERE = CHECKOUT / "benchmarks"


@dataclass(frozen=True)
class Call:
    """One command line, its environment variables, and its home folder."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    home: Path

    def with_arguments(self, *arguments: str) -> Call:
        """The same program in the same home with other arguments."""
        return Call((self.argv[0], *arguments), self.environment, self.home)


@dataclass(frozen=True)
class Tool:
    """`packages`: what pip installs, the tool first; empty = this checkout.

    `call`: makes the question's command line from (venv, base URL, home, timeout in seconds or
    None). `stores`: the arguments that store a key, given or read from stdin, under the name NAME;
    empty = the tool has no such command. `provider`: whose protocol it speaks here. `banner`: how
    a first line on stdout begins that is no part of the answer, and is left out.
    """

    name: str
    packages: tuple[str, ...]
    call: Callable[[Venv, str, Path, int | None], Call]
    stores: tuple[str, ...] = ()
    library: bool = False
    provider: str = "openai"
    banner: str = ""

    @property
    def package(self) -> str:
        """The distribution whose version is shown."""
        return self.packages[0] if self.packages else "easyllm-cli"

    @property
    def venv_name(self) -> str:
        """The name of its virtual environment."""
        return f"peers/{self.packages[0]}" if self.packages else "venv"


def tool_environment(home: Path, **more: str) -> dict[str, str]:
    """Environment variables with a home and a temporary folder of the tool's own."""
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    return environment(**{"HOME": str(home), "TMPDIR": str(temporary), **more})


def ours(command: str, provider: str = "openai") -> Callable[[Venv, str, Path, int | None], Call]:
    """easyllm. A timeout needs a profile; everything else comes from the provider's variables."""

    def call(venv: Venv, url: str, home: Path, seconds: int | None) -> Call:
        name = provider.upper()
        variables = tool_environment(home, **{f"{name}_BASE_URL": url, f"{name}_API_KEY": KEY})
        named = f"{provider}:{MODEL}"
        if seconds is not None:
            named = "with-timeout"
            limits = f"timeout = {{ first_token = {seconds}, idle = {seconds} }}"
            path = home / ".config" / "easyllm" / "profiles.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                f'[profiles.with-timeout]\nextends = "{provider}"\nmodel = "{MODEL}"\n{limits}\n'
            )
        argv = (venv.program("easyllm"), command, "-p", named, PROMPT)
        return Call(argv, variables, home)

    return call


def llm(venv: Venv, url: str, home: Path, seconds: int | None) -> Call:
    """llm, with a model in extra-openai-models.yaml; it has no timeout."""
    folder = home / "llm"
    folder.mkdir(exist_ok=True)
    known = {"model_id": MODEL, "model_name": MODEL, "api_base": url, "api_key_name": "fault"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([known]))
    keys = folder / "keys.json"
    if not keys.exists():
        keys.write_text(json.dumps({"fault": KEY}))
        keys.chmod(0o600)
    argv = (venv.program("llm"), "-m", MODEL, PROMPT)
    return Call(argv, tool_environment(home, LLM_USER_PATH=str(folder)), home)


def sgpt(venv: Venv, url: str, home: Path, seconds: int | None) -> Call:
    limit = {} if seconds is None else {"REQUEST_TIMEOUT": str(seconds)}
    variables = tool_environment(home, API_BASE_URL=url, OPENAI_API_KEY=KEY, **limit)
    return Call((venv.program("sgpt"), "--model", MODEL, PROMPT), variables, home)


def clai(venv: Venv, url: str, home: Path, seconds: int | None) -> Call:
    """clai, Pydantic AI's command; it has no timeout."""
    variables = tool_environment(home, OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY)
    argv = (venv.program("clai"), "-m", f"openai-chat:{MODEL}", PROMPT)
    return Call(argv, variables, home)


def script(file: str) -> Callable[[Venv, str, Path, int | None], Call]:
    """A library, called by one of the short scripts in benchmarks/."""

    def call(venv: Venv, url: str, home: Path, seconds: int | None) -> Call:
        # Without a network litellm would try three times to download its prices, 5 s per run.
        variables = tool_environment(
            home, OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY, ANTHROPIC_BASE_URL=url,
            ANTHROPIC_API_KEY=KEY, LITELLM_LOCAL_MODEL_COST_MAP="True",
        )  # fmt: skip
        limit = () if seconds is None else (str(seconds),)
        return Call((venv.python, str(HERE / file), MODEL, PROMPT, *limit), variables, home)

    return call


TOOLS = (
    Tool("easyllm chat", (), ours("chat"), stores=OUR_KEYS),
    Tool("easyllm stream", (), ours("stream"), stores=OUR_KEYS),
    Tool("llm", ("llm",), llm, stores=("keys", "set", NAME, "--value", KEY)),
    # shell-gpt 1.5.1 imports click without requiring it.
    Tool("shell-gpt", ("shell-gpt", "click"), sgpt),
    Tool("openai SDK", ("openai",), script("ask_openai.py"), library=True),
    Tool("litellm", ("litellm",), script("ask_litellm.py"), library=True),
    Tool("easyllm chat -p anthropic", (), ours("chat", "anthropic"), provider="anthropic"),
    Tool("easyllm stream -p anthropic", (), ours("stream", "anthropic"), provider="anthropic"),
    Tool(
        "anthropic SDK",
        ("anthropic",),
        script("ask_anthropic.py"),
        library=True,
        provider="anthropic",
    ),
)
# Only in docs/comparison.md.
CLAI = Tool("clai", ("clai",), clai, banner="clai - ")


def beside_this_python() -> Venv:
    """The environment that runs the benchmark, with the tools installed there."""
    return Venv(Path(sys.prefix))
