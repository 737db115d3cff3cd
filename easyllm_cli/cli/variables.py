"""Our environment variables, and which of them a command's help names."""

from __future__ import annotations

from collections.abc import Collection

# variable: (the parameter for which it stands, what it says)
VARIABLES = {
    "EASYLLM_PROFILE": ("profile", "the profile where there is no -p: NAME or NAME:MODEL"),
    "EASYLLM_MODEL": ("model", "the model where there is neither -p nor -m"),
    "EASYLLM_PROFILES": ("profiles", "the profiles file"),
    "EASYLLM_STDIN": ("no_stdin", "never: stdin is not read, as with -n"),
    "NO_COLOR": ("color", "anything: no ANSI colours"),
}
KEYS = "and the provider's own, e.g. OPENAI_API_KEY (easyllm help profiles)"


def taught(text: str, parameters: Collection[str]) -> tuple[str, str]:
    """A command's help without its last paragraph, the example; and what stands at the end.

    `parameters`: the names of the command's parameters.
    """
    says, _, example = text.rpartition("\n\n")
    if "easyllm " not in example:
        says, example = text, ""
    names = [name for name, (stands_for, _) in VARIABLES.items() if stands_for in parameters]
    own = f", {KEYS}" if "profile" in parameters else ""
    end = [f"Environment: {', '.join(names)}{own}"] if names else []
    return says, "\n\n".join([*end, f"Example: {example}"] if example else end)
