"""`python -m easyllm_cli` is the `easyllm` command."""

from .cli import main

main()
