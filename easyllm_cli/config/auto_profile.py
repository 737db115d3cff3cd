"""The profile that chooses among others (`provider = "auto"`): checks it, finds its candidates."""

from __future__ import annotations

from ..errors import ConfigError, suggest_name
from .profile import Profile
from .profiles_file import Profiles, read_profiles
from .settings import AUTO_PROVIDER, SETTINGS

# What an auto profile may set. `send_defaults` is set by the library for every config dict.
AUTO_SETTINGS = (
    "provider", "extends", "candidates", "prefer", "strong", "escalate", "history", "send_defaults",
)  # fmt: skip
FEWEST_CANDIDATES = 2


def candidate_names(auto: Profile) -> list[str]:
    """The names in `candidates`, each once: NAME or NAME:MODEL."""
    return list(dict.fromkeys(auto.candidates or []))


def find_candidates(auto: Profile, profiles: Profiles | None = None) -> list[Profile]:
    """The profiles of an auto profile's candidates, in the order of `candidate_names`.

    `profiles`: where their names are looked up; None = the file that the auto profile comes from,
    else the user's profiles file.
    Raises:
        ConfigError: the auto profile sets something else, has fewer than two candidates, or names
            one that does not exist or is an auto profile itself.
    """
    profiles = profiles or read_profiles(auto.profiles_path)
    try:
        _check_settings(auto)
        return [_find_candidate(profiles, name) for name in candidate_names(auto)]
    except ConfigError as error:
        if error.where or auto.profiles_path is None:
            raise
        raise profiles.error_at(error.message, auto.name, error.code or "", error.hint) from None


def _check_settings(auto: Profile) -> None:
    """Check the auto profile's own settings. Raises ConfigError; its `code` is the wrong one."""
    if auto.model is not None:
        raise ConfigError(
            f"profile {auto.name} chooses the model itself, and {auto.model} is named",
            code="model",
            hint="name a model together with its own profile: -p NAME -m MODEL",
        )
    for name, setting in SETTINGS.items():
        if name not in AUTO_SETTINGS and getattr(auto, name) != setting.default:
            raise ConfigError(
                f'{name} has no place beside provider = "{AUTO_PROVIDER}"', code=name,
                hint="set it in the candidates' own profiles",
            )  # fmt: skip
    names = candidate_names(auto)
    if len(names) < FEWEST_CANDIDATES:
        raise ConfigError(
            f'provider = "{AUTO_PROVIDER}" needs at least {FEWEST_CANDIDATES} candidates',
            code="candidates" if auto.candidates else "provider",
            hint='candidates = ["mini", "r1"]',
        )
    for task, name in (auto.strong or {}).items():
        if name not in names:
            raise ConfigError(
                f'strong.{task} = "{name}" is none of the candidates', code="strong",
                hint=suggest_name(name, names),
            )  # fmt: skip


def _find_candidate(profiles: Profiles, name: str) -> Profile:
    """Look up one candidate. Raises ConfigError; its `code` is the setting `candidates`."""
    try:
        profile = profiles.resolve_selector(name)
    except ConfigError as error:
        if error.message != f'no profile "{name.partition(":")[0]}"':
            raise  # the candidate's own table is wrong
        raise ConfigError(
            f'candidates names "{name}", which does not exist', code="candidates", hint=error.hint
        ) from None
    if profile.provider == AUTO_PROVIDER:
        raise ConfigError(
            f'candidates names "{name}", which chooses itself', code="candidates",
            hint="name its candidates instead",
        )  # fmt: skip
    return profile
