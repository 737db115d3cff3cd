"""Recognizes the command that easyllm prints to install an extra, whatever installed easyllm."""

import re


def installs_extra(command: str, extra: str) -> bool:
    """Whether it is one pip command that installs easyllm with this extra."""
    return bool(re.fullmatch(rf"\S*( -m )?pip install (-e )?'[^']+\[{extra}\]'", command))
