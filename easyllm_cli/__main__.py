"""Runs the `easyllm` command for `python -m easyllm_cli`."""

from .cli import main

main()
