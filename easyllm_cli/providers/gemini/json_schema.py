"""A JSON schema as Gemini takes it: OpenAPI's subset in `responseSchema`, else as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

JsonObject = dict[str, Any]

# Constraints that the subset knows (Gemini API, "Schema"). Others are left out: they only narrow,
# and whoever wants the answer checks it against the whole schema.
SUPPORTED_CONSTRAINTS = (
    "title", "description", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength",
    "maxLength", "minProperties", "maxProperties",
)  # fmt: skip
# Other formats are refused with 400.
SUPPORTED_FORMATS = {
    "string": ("date-time",), "number": ("float", "double"), "integer": ("int32", "int64"),
}  # fmt: skip


class UnsupportedSchemaError(Exception):
    """A structure that the subset cannot say: recursion, tuples, maps, anything at all."""


def generation_config_fields(schema: JsonObject) -> JsonObject:
    """The fields of generationConfig that ask for this schema.

    What the subset cannot say goes as `responseJsonSchema`, which Gemini 2.5 and later take.
    """
    mime = {"responseMimeType": "application/json"}
    try:
        return mime | {"responseSchema": to_openapi_subset(schema, schema, ())}
    except UnsupportedSchemaError:
        return mime | {"responseJsonSchema": schema}


def to_openapi_subset(
    schema: Any, root: JsonObject, visited_references: tuple[str, ...]
) -> JsonObject:
    """One schema in the subset; `trail`: the references that led to it.

    Raises:
        NotInTheSubset: its structure cannot be said.
    """
    node, visited_references = flatten_schema(schema, root, visited_references)
    converted: JsonObject = {key: node[key] for key in SUPPORTED_CONSTRAINTS if key in node}
    choices, nullable = extract_choices(node)
    if nullable:
        converted["nullable"] = True
    if len(choices) != 1:
        branches = [
            to_openapi_subset({**node, **subschema}, root, visited_references)
            for subschema in choices
        ]
        return converted | {"anyOf": branches} if branches else converted | {"type": "NULL"}
    if choices[0]:
        return to_openapi_subset({**node, **choices[0]}, root, visited_references) | converted
    type_name = infer_type(node)
    converted["type"] = type_name.upper()
    if type_name == "string" and "enum" in node:
        converted["enum"] = [value for value in node["enum"] if isinstance(value, str)]
    if node.get("format") in SUPPORTED_FORMATS.get(type_name, ()):
        converted["format"] = node["format"]
    if type_name == "array":
        converted["items"] = to_openapi_subset(
            require_subschema(node, "items"), root, visited_references
        )
    if type_name == "object":
        properties = require_subschema(node, "properties")
        converted["properties"] = {
            name: to_openapi_subset(subschema, root, visited_references)
            for name, subschema in properties.items()
        }
        required = [name for name in node.get("required", ()) if name in properties]
        converted |= {"required": required} if required else {}
    return converted


def require_subschema(node: JsonObject, key: str) -> JsonObject:
    """What an array or an object holds, which the subset must be told.

    Raises:
        NotInTheSubset: it is not said.
    """
    subschema = node.get(key)
    if not isinstance(subschema, dict) or not subschema or "prefixItems" in node:
        raise UnsupportedSchemaError
    return subschema


def flatten_schema(
    schema: Any, root: JsonObject, visited_references: tuple[str, ...]
) -> tuple[JsonObject, tuple[str, ...]]:
    """The schema with `$ref`, `allOf` and `const` written out, and the trail that led there.

    Raises:
        NotInTheSubset: it refers to itself or elsewhere, or says nothing.
    """
    if not isinstance(schema, dict) or not schema:
        raise UnsupportedSchemaError
    parts = list(schema.get("allOf", ()))
    if "$ref" in schema:
        if schema["$ref"] in visited_references:
            raise UnsupportedSchemaError
        visited_references = (*visited_references, schema["$ref"])
        parts.append(resolve_reference(schema["$ref"], root))
    node: JsonObject = {}
    for part in parts:
        flattened, visited_references = flatten_schema(part, root, visited_references)
        node = merge_schemas(node, flattened)
    own_keywords = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    node = merge_schemas(node, own_keywords)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node, visited_references


def merge_schemas(first: JsonObject, second: JsonObject) -> JsonObject:
    """Two schemas that hold at once; of what both say the second's counts."""
    properties = {**first.get("properties", {}), **second.get("properties", {})}
    required = deduplicate([*first.get("required", ()), *second.get("required", ())])
    merged = {**first, **second}
    merged |= {"properties": properties} if properties else {}
    return merged | ({"required": required} if required else {})


def deduplicate(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def resolve_reference(reference: str, root: JsonObject) -> Any:
    """What a reference inside the document points to (RFC 6901).

    Raises:
        NotInTheSubset: it leads elsewhere.
    """
    if not reference.startswith("#/"):
        raise UnsupportedSchemaError
    target: Any = root
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    return target


def extract_choices(node: JsonObject) -> tuple[list[JsonObject], bool]:
    """What a value may be, apart from null, and whether it may be null; [{}] = the node itself."""
    for key in ("anyOf", "oneOf"):
        if key in node:
            branches = node.pop(key)
            choices = [branch for branch in branches if branch != {"type": "null"}]
            return choices, len(choices) < len(branches)
    types = node.get("type")
    if isinstance(types, list):
        choices = [{"type": type_name} for type_name in types if type_name != "null"]
        return choices, "null" in types
    return [{}], None in node.get("enum", ())


def infer_type(node: JsonObject) -> str:
    """The type, said or seen.

    Raises:
        NotInTheSubset: neither.
    """
    if isinstance(node.get("type"), str):
        return str(node["type"])
    if "properties" in node:
        return "object"
    if "items" in node:
        return "array"
    values = [value for value in node.get("enum", ()) if value is not None]
    if values and all(isinstance(value, str) for value in values):
        return "string"
    raise UnsupportedSchemaError
