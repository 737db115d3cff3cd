"""Models that run inside this program (llama.cpp, GGUF files)."""
