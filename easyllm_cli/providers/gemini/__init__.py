"""Adapter and decoder for the Gemini API (generateContent)."""
