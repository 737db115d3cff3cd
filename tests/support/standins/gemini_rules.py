"""The Gemini stand-in's checks of a request: names, roles, images, schemas and thinking.

Sources: docs/protocols.md, Gemini; the API's page "Schema".
"""

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
    """Return an error in Google's shape."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return ErrorReply(code, {"error": error})


def invalid(message: str) -> ErrorReply:
    """Return the 400 for a malformed request."""
    return refuse(400, "INVALID_ARGUMENT", message)


def check_names(fields: Json, known: Iterable[str], where: str = "") -> None:
    """Refuse unknown names, also known ones in snake_case, with Google's message."""
    for name in fields:
        if name not in known:
            place = f' at "{where}"' if where else ""
            what = f'Unknown name "{name}"{place}: Cannot find field.'
            raise invalid(f"Invalid JSON payload received. {what}")


def check_body(body: Json) -> None:
    """Check names, roles and inline images: PNG, JPEG, WebP, HEIC or HEIF in base64."""
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
    """Check that a schema has its media type and that there is at most one schema."""
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if schemas and config.get("responseMimeType") != "application/json":
        raise invalid("Response schema is supported only with application/json.")
    if len(schemas) > 1:
        raise invalid("Only one of response_schema and response_json_schema can be set.")
    if "responseSchema" in config:
        check_schema(config["responseSchema"], "generation_config.response_schema")


def check_schema(schema: Json, where: str) -> None:
    """Check a schema against Gemini's subset of OpenAPI (the API's page "Schema")."""
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
    subschemas = {f"properties[{name}]": subschema for name, subschema in properties.items()}
    subschemas |= {
        f"any_of[{index}]": subschema for index, subschema in enumerate(schema.get("anyOf") or ())
    }
    subschemas |= {"items": schema["items"]} if "items" in schema else {}
    for name, subschema in subschemas.items():
        check_schema(subschema, f"{where}.{name}")


def check_thinking(model: str, steering: str | None, config: Json) -> tuple[bool, bool]:
    """Return whether the model thinks and whether it shows its thoughts.

    Refuses a budget together with a level, either one for a model that cannot have it, and
    `includeThoughts` with thinking switched off.
    """
    thinking = config.get("thinkingConfig")
    if model in FAULTY or (steering is None and thinking is None):
        return False, False
    if steering is None:
        raise invalid("Thinking is not supported for this model.")
    thinking = thinking or {}
    budget, level = thinking.get("thinkingBudget"), thinking.get("thinkingLevel")
    if budget is not None and level is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    if level is not None and steering == BUDGET:
        raise invalid("Thinking level is not supported for this model.")
    cannot_be_off = model.endswith("-pro")
    if cannot_be_off and (budget == 0 or str(level).upper() == "MINIMAL"):
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    shows_thoughts = bool(thinking.get("includeThoughts"))
    if shows_thoughts and budget == 0:
        raise invalid("Thinking_config.include_thoughts is only enabled when thinking is enabled.")
    return budget != 0, shows_thoughts
