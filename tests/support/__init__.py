"""What the tests share: servers, terminals, the command as a process, tables of cases."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the checkout
