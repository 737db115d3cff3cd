"""Tests of Anthropic's Messages API: ANTH-1 to ANTH-47 of docs/promises.md."""
