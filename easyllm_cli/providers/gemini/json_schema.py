"""Converts a JSON schema to the OpenAPI subset that Gemini takes in `responseSchema`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

JsonObject = dict[str, Any]

# Constraints of the subset (Gemini API reference, "Schema"). Others are left out: the caller checks
# the answer against the full schema.
SUPPORTED_CONSTRAINTS = (
    "title", "description", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength",
    "maxLength", "minProperties", "maxProperties",
)  # fmt: skip
# Gemini answers 400 to other formats.
SUPPORTED_FORMATS = {
    "string": ("date-time",), "number": ("float", "double"), "integer": ("int32", "int64"),
}  # fmt: skip


class UnsupportedSchemaError(Exception):
    """The schema cannot be expressed in the subset: recursion, tuples, maps, or no type."""


def generation_config_fields(schema: JsonObject) -> JsonObject:
    """Return the generationConfig fields for JSON output of this schema.

    A schema outside the subset is sent as `responseJsonSchema`, which Gemini 2.5 and later accept.
    """
    mime = {"responseMimeType": "application/json"}
    try:
        return mime | {"responseSchema": to_openapi_subset(schema, schema, ())}
    except UnsupportedSchemaError:
        return mime | {"responseJsonSchema": schema}


def to_openapi_subset(
    schema: Any, root: JsonObject, visited_references: tuple[str, ...]
) -> JsonObject:
    """Convert one schema of the document `root`; `visited_references` serve to detect recursion.

    Raises:
        UnsupportedSchemaError: the subset cannot express it.
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
    """Return an array's `items` or an object's `properties`, which the subset requires.

    Raises:
        UnsupportedSchemaError: it is missing or empty.
    """
    subschema = node.get(key)
    if not isinstance(subschema, dict) or not subschema or "prefixItems" in node:
        raise UnsupportedSchemaError
    return subschema


def flatten_schema(
    schema: Any, root: JsonObject, visited_references: tuple[str, ...]
) -> tuple[JsonObject, tuple[str, ...]]:
    """Replace `$ref`, `allOf` and `const` by what they mean.

    Returns the schema and the references visited so far.

    Raises:
        UnsupportedSchemaError: it is empty, recursive, or refers to another document.
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
    """Combine two schemas that both apply; the second wins where keywords conflict."""
    properties = {**first.get("properties", {}), **second.get("properties", {})}
    required = deduplicate([*first.get("required", ()), *second.get("required", ())])
    merged = {**first, **second}
    merged |= {"properties": properties} if properties else {}
    return merged | ({"required": required} if required else {})


def deduplicate(names: Iterable[str]) -> list[str]:
    """Remove repeated names and keep the order."""
    return list(dict.fromkeys(names))


def resolve_reference(reference: str, root: JsonObject) -> Any:
    """Return the target of a `$ref` inside the document (JSON Pointer, RFC 6901).

    Raises:
        UnsupportedSchemaError: it refers to another document.
    """
    if not reference.startswith("#/"):
        raise UnsupportedSchemaError
    target: Any = root
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    return target


def extract_choices(node: JsonObject) -> tuple[list[JsonObject], bool]:
    """Return the alternatives of a schema without null, and whether null is allowed.

    Removes `anyOf` or `oneOf` from the node. [{}] means that the node has no alternatives.
    """
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
    """Return the schema's `type`, or infer it from its other keywords.

    Raises:
        UnsupportedSchemaError: it cannot be inferred.
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
