"""Shared helpers of the tests: servers, terminals, runs of the command, tables of cases."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the checkout's root folder
