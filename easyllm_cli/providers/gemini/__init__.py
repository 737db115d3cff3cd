"""Gemini's REST API (generateContent)."""
