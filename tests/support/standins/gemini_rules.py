"""What Gemini refuses: names, roles, images and thinking it cannot serve (WIRE §6a, e, g)."""

from collections.abc import Iterable

from tests.support.standins.script import Json, unbase64
from tests.support.standins.server import ErrorReply

BUDGET, LEVEL = "budget", "level"
FAULTY = {"blocked", "all-thoughts", "busy", "perday"}
FAULTY |= {"midstream", "array-error", "cut", "filtered"}
MIME_TYPES = {f"image/{kind}" for kind in ("png", "jpeg", "webp", "heic", "heif")}  # no GIF
BODY_NAMES = {"contents", "systemInstruction", "generationConfig", "safetySettings"}
CONFIG_NAMES = {"temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed"}
CONFIG_NAMES |= {"candidateCount", "responseMimeType", "responseSchema", "thinkingConfig"}
CONFIG_NAMES |= {"responseJsonSchema"}
SCHEMA_NAMES = {"type", "format", "title", "description", "nullable", "enum", "maxItems"}
SCHEMA_NAMES |= {"minItems", "properties", "required", "minProperties", "maxProperties"}
SCHEMA_NAMES |= {"minLength", "maxLength", "pattern", "example", "anyOf", "propertyOrdering"}
SCHEMA_NAMES |= {"default", "items", "minimum", "maximum"}
TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}
FORMATS = {"STRING": {"date-time", "enum"}, "NUMBER": {"float", "double"}}
FORMATS |= {"INTEGER": {"int32", "int64"}}
THINKING_NAMES = {"includeThoughts", "thinkingBudget", "thinkingLevel"}
PART_NAMES = {"text", "inlineData", "fileData", "thought", "thoughtSignature"}


def refuse(code: int, status: str, message: str, *details: Json) -> ErrorReply:
    """An error in Google's shape (WIRE §6g)."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return ErrorReply(code, {"error": error})


def invalid(message: str) -> ErrorReply:
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
    check_response(config)
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


def check_response(config: Json) -> None:
    """A schema needs its media type, and there is one at most."""
    given = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if given and config.get("responseMimeType") != "application/json":
        raise invalid("Response schema is supported only with application/json.")
    if len(given) > 1:
        raise invalid("Only one of response_schema and response_json_schema can be set.")
    if "responseSchema" in config:
        check_schema(config["responseSchema"], "generation_config.response_schema")


def check_schema(schema: Json, where: str) -> None:
    """What the subset of OpenAPI refuses (WIRE §6a, the API's page "Schema")."""
    check_names(schema, SCHEMA_NAMES, where)
    kind = schema.get("type")
    if kind not in TYPES and "anyOf" not in schema:
        raise invalid(f"* {where}: must be specified: type")
    if kind == "ARRAY" and "items" not in schema:
        raise invalid(f"* {where}.items: missing field.")
    if kind == "OBJECT" and not schema.get("properties"):
        raise invalid(f"* {where}.properties: should be non-empty for OBJECT type")
    if "enum" in schema and (kind != "STRING" or "" in schema["enum"]):
        raise invalid(f"* {where}.enum: only allowed for STRING type")
    if schema.get("format") not in {None, *FORMATS.get(kind or "", ())}:
        raise invalid(f"* {where}.format: not supported for {kind} type")
    properties = schema.get("properties") or {}
    for index, name in enumerate(schema.get("required") or ()):
        if name not in properties:
            raise invalid(f"* {where}.required[{index}]: property is not defined")
    inner = {f"properties[{name}]": one for name, one in properties.items()}
    inner |= {f"any_of[{index}]": one for index, one in enumerate(schema.get("anyOf") or ())}
    inner |= {"items": schema["items"]} if "items" in schema else {}
    for name, one in inner.items():
        check_schema(one, f"{where}.{name}")


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
