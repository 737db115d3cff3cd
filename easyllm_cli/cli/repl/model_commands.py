"""Commands that say who is asked, and how: /profile, /model, /system and /think."""

from __future__ import annotations

from dataclasses import replace

from ...errors import UsageError, suggest_name
from ..completion import built_in_names, model_names, names_in_file
from ..option_types import EFFORT_CHOICES
from ..options.input import ModelOptions
from ..options.sampling import SamplingOptions
from .printing import print_wrapped
from .session import Session


def profile(session: Session, argument: str) -> None:
    """Ask another profile; the conversation goes on there, because the user asks for it.

    Raises:
        ConfigError: there is no such profile. UsageError: it keeps no texts, by an option.
    """
    file = session.request.model.profiles
    if argument:
        session.choose_model(ModelOptions(profile=argument, profiles=file))
        print_wrapped(session.describe_model())
        return
    print_wrapped(session.describe_model())
    own = names_in_file(file)
    if own:
        print_wrapped("profiles: " + ", ".join(own))
    print_wrapped("built in: " + ", ".join(built_in_names()))


def model(session: Session, argument: str) -> None:
    """Ask another model of the same profile. Raises as `profile`."""
    chosen = session.request.model
    name = (chosen.profile or "").partition(":")[0] or None
    if argument:
        session.choose_model(ModelOptions(**{**vars(chosen), "profile": name, "model": argument}))
        print_wrapped(session.describe_model())
        return
    print_wrapped(session.describe_model())
    known = model_names(chosen.profiles, name or session.profile.name)
    hint = f"easyllm models {session.profile.cli_selector} lists the models"
    print_wrapped("models: " + ", ".join(known) if known else hint)


def system(session: Session, argument: str) -> None:
    """Set the system prompt of all following requests; `-` removes it, nothing shows it."""
    if argument:
        session.system = None if argument == "-" else argument
    text = session.system or session.profile.system
    print_wrapped(f"system prompt: {text}" if text else "no system prompt")


def think(session: Session, argument: str) -> None:
    """Ask for reasoning, with an effort if one is named. Raises UsageError: it is no effort."""
    if argument and argument not in EFFORT_CHOICES:
        raise UsageError(
            f'"{argument}" is no effort', where="/think",
            hint=suggest_name(argument, EFFORT_CHOICES),
        )  # fmt: skip
    chosen = {"think": not argument, "effort": argument or None}
    sampling = SamplingOptions(**{**vars(session.request.sampling), **chosen})
    session.request = replace(session.request, sampling=sampling)
    print_wrapped(f"reasoning: {argument or 'on'}")
