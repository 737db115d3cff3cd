"""Profiles files written for a test."""

from pathlib import Path

from easyllm_cli.config.profiles_file import Profiles, read_profiles

PROFILE_A = '[profiles.a]\nprovider = "openai"\n'


def write_and_read_profiles(path: Path, text: str, mode: int = 0o600) -> Profiles:
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return read_profiles(str(path))
