"""What Gemini refuses: names, roles, images and thinking it cannot serve (WIRE §6a, e, g)."""

from collections.abc import Iterable

from tests.standins.script import Json, unbase64
from tests.standins.server import Refused

BUDGET, LEVEL = "budget", "level"
FAULTY = {"blocked", "all-thoughts", "busy", "perday"}
FAULTY |= {"midstream", "array-error", "cut", "filtered"}
MIME_TYPES = {f"image/{kind}" for kind in ("png", "jpeg", "webp", "heic", "heif")}  # no GIF
BODY_NAMES = {"contents", "systemInstruction", "generationConfig", "safetySettings"}
CONFIG_NAMES = {"temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed"}
CONFIG_NAMES |= {"candidateCount", "responseMimeType", "responseSchema", "thinkingConfig"}
THINKING_NAMES = {"includeThoughts", "thinkingBudget", "thinkingLevel"}
PART_NAMES = {"text", "inlineData", "fileData", "thought", "thoughtSignature"}


def refuse(code: int, status: str, message: str, *details: Json) -> Refused:
    """An error in Google's shape (WIRE §6g)."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return Refused(code, {"error": error})


def invalid(message: str) -> Refused:
    """The 400 for what a client should not have sent."""
    return refuse(400, "INVALID_ARGUMENT", message)


def check_names(given: Json, known: Iterable[str], where: str = "") -> None:
    """Refuses unknown names, snake_case among them, in Google's words."""
    for name in given:
        if name not in known:
            place = f' at "{where}"' if where else ""
            what = f'Unknown name "{name}"{place}: Cannot find field.'
            raise invalid(f"Invalid JSON payload received. {what}")


def check_body(body: Json) -> None:
    """Names, roles and inline images (WIRE §6a, e)."""
    check_names(body, BODY_NAMES)
    config = body.get("generationConfig") or {}
    check_names(config, CONFIG_NAMES, "generation_config")
    check_names(config.get("thinkingConfig") or {}, THINKING_NAMES, "thinking_config")
    if not body.get("contents"):
        raise invalid("* GenerateContentRequest.contents: contents is not specified")
    for content in [*body["contents"], body.get("systemInstruction") or {}]:
        if content.get("role", "user") not in {"user", "model"}:
            raise invalid("Please use a valid role: user, model.")
        for part in content.get("parts", []):
            check_names(part, PART_NAMES, "parts")
            image = part.get("inlineData") or {"mimeType": "image/png", "data": "AAAA"}
            if image["mimeType"] not in MIME_TYPES:
                raise invalid(f"Unsupported MIME type: {image['mimeType']}")
            if unbase64(image["data"]) is None:
                raise invalid("Invalid value at 'inline_data.data' (TYPE_BYTES), Base64 decoding")


def check_thinking(model: str, steering: str | None, config: Json) -> tuple[bool, bool]:
    """Whether the model thinks and whether it shows its thoughts (WIRE §6a)."""
    given = config.get("thinkingConfig")
    if model in FAULTY or (steering is None and given is None):
        return False, False
    if steering is None:
        raise invalid("Thinking is not supported for this model.")
    given = given or {}
    budget, level = given.get("thinkingBudget"), given.get("thinkingLevel")
    if budget is not None and level is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    if level is not None and steering == BUDGET:
        raise invalid("Thinking level is not supported for this model.")
    always = model.endswith("-pro")
    if always and (budget == 0 or str(level).upper() == "MINIMAL"):
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    shows = bool(given.get("includeThoughts"))
    if shows and budget == 0:
        raise invalid("Thinking_config.include_thoughts is only enabled when thinking is enabled.")
    return budget != 0, shows
