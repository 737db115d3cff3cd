"""A JSON schema as Gemini takes it: OpenAPI's subset in `responseSchema`, else as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

# Constraints that the subset knows (Gemini API, "Schema"). Others are left out: they only narrow,
# and whoever wants the answer checks it against the whole schema.
CONSTRAINTS = (
    "title", "description", "pattern", "minimum", "maximum", "minItems", "maxItems", "minLength",
    "maxLength", "minProperties", "maxProperties",
)  # fmt: skip
# Other formats are refused with 400.
FORMATS = {
    "string": ("date-time",), "number": ("float", "double"), "integer": ("int32", "int64"),
}  # fmt: skip


class NotInTheSubset(Exception):
    """A structure that the subset cannot say: recursion, tuples, maps, anything at all."""


def schema_fields(schema: Json) -> Json:
    """The fields of generationConfig that ask for this schema.

    What the subset cannot say goes as `responseJsonSchema`, which Gemini 2.5 and later take.
    """
    mime = {"responseMimeType": "application/json"}
    try:
        return mime | {"responseSchema": subset(schema, schema, ())}
    except NotInTheSubset:
        return mime | {"responseJsonSchema": schema}


def subset(schema: Any, root: Json, trail: tuple[str, ...]) -> Json:
    """One schema in the subset; `trail`: the references that led to it.

    Raises:
        NotInTheSubset: its structure cannot be said.
    """
    node, trail = flat(schema, root, trail)
    made: Json = {key: node[key] for key in CONSTRAINTS if key in node}
    choices, nullable = choices_of(node)
    if nullable:
        made["nullable"] = True
    if len(choices) != 1:
        branches = [subset({**node, **one}, root, trail) for one in choices]
        return made | {"anyOf": branches} if branches else made | {"type": "NULL"}
    if choices[0]:
        return subset({**node, **choices[0]}, root, trail) | made
    kind = kind_of(node)
    made["type"] = kind.upper()
    if kind == "string" and "enum" in node:
        made["enum"] = [one for one in node["enum"] if isinstance(one, str)]
    if node.get("format") in FORMATS.get(kind, ()):
        made["format"] = node["format"]
    if kind == "array":
        made["items"] = subset(inside(node, "items"), root, trail)
    if kind == "object":
        properties = inside(node, "properties")
        made["properties"] = {name: subset(one, root, trail) for name, one in properties.items()}
        required = [name for name in node.get("required", ()) if name in properties]
        made |= {"required": required} if required else {}
    return made


def inside(node: Json, key: str) -> Json:
    """What an array or an object holds, which the subset must be told.

    Raises:
        NotInTheSubset: it is not said.
    """
    held = node.get(key)
    if not isinstance(held, dict) or not held or "prefixItems" in node:
        raise NotInTheSubset
    return held


def flat(schema: Any, root: Json, trail: tuple[str, ...]) -> tuple[Json, tuple[str, ...]]:
    """The schema with `$ref`, `allOf` and `const` written out, and the trail that led there.

    Raises:
        NotInTheSubset: it refers to itself or elsewhere, or says nothing.
    """
    if not isinstance(schema, dict) or not schema:
        raise NotInTheSubset
    parts = list(schema.get("allOf", ()))
    if "$ref" in schema:
        if schema["$ref"] in trail:
            raise NotInTheSubset
        trail = (*trail, schema["$ref"])
        parts.append(pointed(schema["$ref"], root))
    node: Json = {}
    for part in parts:
        whole, trail = flat(part, root, trail)
        node = joined(node, whole)
    beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    node = joined(node, beside)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    return node, trail


def joined(one: Json, other: Json) -> Json:
    """Two schemas that hold at once; of what both say the second's counts."""
    properties = {**one.get("properties", {}), **other.get("properties", {})}
    required = unique([*one.get("required", ()), *other.get("required", ())])
    made = {**one, **other}
    made |= {"properties": properties} if properties else {}
    return made | ({"required": required} if required else {})


def unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def pointed(reference: str, root: Json) -> Any:
    """What a reference inside the document points to (RFC 6901).

    Raises:
        NotInTheSubset: it leads elsewhere.
    """
    if not reference.startswith("#/"):
        raise NotInTheSubset
    found: Any = root
    for part in reference[2:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def choices_of(node: Json) -> tuple[list[Json], bool]:
    """What a value may be, apart from null, and whether it may be null; [{}] = the node itself."""
    for key in ("anyOf", "oneOf"):
        if key in node:
            branches = node.pop(key)
            left = [one for one in branches if one != {"type": "null"}]
            return left, len(left) < len(branches)
    kinds = node.get("type")
    if isinstance(kinds, list):
        left = [{"type": kind} for kind in kinds if kind != "null"]
        return left, "null" in kinds
    return [{}], None in node.get("enum", ())


def kind_of(node: Json) -> str:
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
    values = [one for one in node.get("enum", ()) if one is not None]
    if values and all(isinstance(one, str) for one in values):
        return "string"
    raise NotInTheSubset
