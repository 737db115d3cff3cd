"""Checks an answer against a JSON schema (`--schema`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .completion import Completion
from .errors import SCHEMA_MISMATCH, MalformedAnswer, UsageError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

FENCED_ANSWER = re.compile(
    r"\s*```(?:json)?[ \t]*\r?\n(.*)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE
)
MAX_VALUE_CHARS = 60  # characters of a value in an error line
MAX_REASON_CHARS = 240
REFERENCE_HINT = "references are not fetched: put the schema that it names under $defs"


def strip_code_fence(text: str) -> str:
    """The text without a code fence around the whole of it, which some models add."""
    fenced = FENCED_ANSWER.fullmatch(text)
    return fenced[1] if fenced else text


class Schema:
    """A JSON schema; `document` is the parsed content of the file `name`.

    `strips_code_fence`: whether a code fence around the answer is removed before it is printed.
    """

    def __init__(self, document: dict[str, Any], name: str, strips_code_fence: bool) -> None:
        """Raises UsageError: it is not a JSON schema, or jsonschema is not installed."""
        self.document = document
        self._validator = build_validator(document, name)
        self._strips_code_fence = strips_code_fence

    @property
    def request_settings(self) -> dict[str, Any]:
        """The fields of a profile that ask for such an answer."""
        return {"schema": self.document}

    def check(self, completion: Completion) -> None:
        """Require that the answer's text is one JSON document that matches the schema.

        Raises:
            MalformedAnswer: it does not; the message names the path, e.g. `$.items[2].age`.
        """
        problem = self._find_problem(completion["text"])
        if not problem:
            return
        hint = "ask again, or say in the prompt what is wanted"
        if completion["finish_reason"] == "length":
            hint = "raise --max-tokens: the answer was cut"
        elif FENCED_ANSWER.fullmatch(completion["text"]) and not self._strips_code_fence:
            hint = "chat removes a code fence, stream does not"
        raise MalformedAnswer(f"the answer {problem}", hint=hint, code=SCHEMA_MISMATCH)

    def printed(self, text: str) -> str:
        """The text to print: the JSON without the code fence that some models add."""
        return strip_code_fence(text) if self._strips_code_fence else text

    def _find_problem(self, text: str) -> str:
        """What is wrong with the text; "" = it matches."""
        from jsonschema.exceptions import best_match

        try:
            answer = parse_strict_json(self.printed(text))
            error = best_match(self._validator.iter_errors(answer))
            return f"does not fit the schema: {format_validation_error(error)}" if error else ""
        except ValueError as not_json:
            return f"is not JSON: {format_json_error(not_json)}"
        except RecursionError:
            return "cannot be checked: it is nested too deeply"
        except OverflowError:  # multipleOf with a number too large for a float
            return "cannot be checked: a number in it is too large"


def parse_strict_json(text: str) -> Any:
    """Parse a JSON document; NaN and Infinity are refused.

    Raises:
        ValueError: it is not JSON. RecursionError: it is nested too deeply.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not a JSON value")

    return json.loads(text, parse_constant=refuse)


def format_json_error(error: ValueError) -> str:
    """The problem, with line and column if known."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return str(error)


def build_validator(document: dict[str, Any], name: str) -> Validator:
    """A validator for the draft that the schema names, else 2020-12; it sends no requests.

    Raises:
        UsageError: the schema is not valid, a reference cannot be resolved inside it, or
            jsonschema is not installed.
    """
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
        from referencing.jsonschema import EMPTY_REGISTRY
    except ImportError as error:
        from .installation import format_install_command

        raise UsageError(
            f"--schema needs the package jsonschema ({error})",
            hint=format_install_command("schema"),
        ) from None
    validator_class = validator_for(document, default=Draft202012Validator)
    meta_class = validator_for(validator_class.META_SCHEMA)
    checker = meta_class(validator_class.META_SCHEMA, format_checker=meta_class.FORMAT_CHECKER)
    problem = best_match(checker.iter_errors(document))
    if problem:
        raise UsageError(f"the schema is not valid: {format_validation_error(problem)}", where=name)
    unresolved = find_unresolvable_reference(document, str(validator_class.META_SCHEMA["$schema"]))
    if unresolved:
        raise UsageError(
            f'the schema is not valid: "$ref": "{unresolved}" cannot be resolved',
            where=name,
            hint=REFERENCE_HINT,
        )
    return validator_class(document, registry=EMPTY_REGISTRY)


def find_unresolvable_reference(document: dict[str, Any], dialect: str) -> str:
    """The first reference that cannot be resolved inside the document; "" = none."""
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY, specification_with

    draft = specification_with(dialect)
    root = draft.create_resource(document)
    pending = [(root, EMPTY_REGISTRY.resolver_with_root(root))]
    seen = set()
    while pending:
        resource, resolver = pending.pop()
        contents = resource.contents
        if not isinstance(contents, dict) or id(contents) in seen:
            continue
        seen.add(id(contents))
        for reference in filter(None, map(contents.get, ("$ref", "$dynamicRef"))):
            try:
                target = resolver.lookup(reference)
            except Unresolvable:
                return str(reference)
            # A target where the draft expects no schema is still searched for references.
            pending.append((draft.create_resource(target.contents), target.resolver))
        pending += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]
    return ""


def format_validation_error(error: ValidationError) -> str:
    """Path and problem on one line: `$.items[2].age: "x" is not of type 'integer'`."""
    value = json.dumps(error.instance, ensure_ascii=False)
    short = value if len(value) <= MAX_VALUE_CHARS else value[:MAX_VALUE_CHARS] + "…"
    reason, value_repr = error.message, repr(error.instance)
    if reason.startswith(value_repr):
        reason = short + reason.removeprefix(value_repr)
    if len(reason) > MAX_REASON_CHARS:
        reason = reason[:MAX_REASON_CHARS] + "…"
    return f"{error.json_path}: {reason}"
