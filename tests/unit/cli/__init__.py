"""Tests of easyllm_cli/cli."""
