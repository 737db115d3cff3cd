"""Tests of easyllm_cli/providers/openai."""
