"""The parts of `easyllm repl`, in process."""
