"""Schema: a JSON schema from a file, and whether an answer is a document that fits it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .completion import Completion
from .errors import MalformedAnswer, UsageError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

FENCED_ANSWER = re.compile(
    r"\s*```(?:json)?[ \t]*\r?\n(.*)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE
)
MAX_VALUE_CHARS = 60  # characters of a value that an error line shows
MAX_REASON_CHARS = 240
REFERENCE_HINT = "references are never fetched: put what is meant under $defs"


def strip_code_fence(text: str) -> str:
    """The answer without the code fence that some models put around the whole of it."""
    fenced = FENCED_ANSWER.fullmatch(text)
    return fenced[1] if fenced else text


class Schema:
    """A JSON schema; `document` is what the file `name` holds.

    `unwraps`: whether a code fence around the answer is taken off before it is printed.
    """

    def __init__(self, document: dict[str, Any], name: str, strips_code_fence: bool) -> None:
        """Raises UsageError: it is no JSON schema, or jsonschema is not installed."""
        self.document = document
        self._validator = build_validator(document, name)
        self._strips_code_fence = strips_code_fence

    def check(self, completion: Completion) -> None:
        """Whether the answer's text is one JSON document that fits.

        Raises:
            MalformedAnswer: it is not; the message names the path, e.g. `$.items[2].age`.
        """
        problem = self._find_problem(completion["text"])
        if not problem:
            return
        hint = "ask again, or say in the prompt what is wanted"
        if completion["finish_reason"] == "length":
            hint = "raise --max-tokens: the answer was cut"
        elif FENCED_ANSWER.fullmatch(completion["text"]) and not self._strips_code_fence:
            hint = "chat takes a code fence off, stream prints it as it comes"
        raise MalformedAnswer(f"the answer {problem}", hint=hint)

    def _find_problem(self, text: str) -> str:
        """What is wrong with a text, "" = nothing."""
        from jsonschema.exceptions import best_match

        try:
            answer = parse_strict_json(strip_code_fence(text) if self._strips_code_fence else text)
            error = best_match(self._validator.iter_errors(answer))
            return f"does not fit the schema: {format_validation_error(error)}" if error else ""
        except ValueError as not_json:
            return f"is not JSON: {format_json_error(not_json)}"
        except RecursionError:
            return "cannot be checked: it is nested too deeply"
        except OverflowError:  # multipleOf, of a number beyond every float
            return "cannot be checked: it holds too large a number"


def parse_strict_json(text: str) -> Any:
    """A JSON document; NaN and Infinity are none.

    Raises:
        ValueError: it is not JSON. RecursionError: it is nested too deeply.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON value")

    return json.loads(text, parse_constant=refuse)


def format_json_error(error: ValueError) -> str:
    """What is wrong and where."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return str(error)


def build_validator(document: dict[str, Any], name: str) -> Validator:
    """What checks answers: the draft that the schema names, else the newest; no network.

    Raises:
        UsageError: it is no valid schema, a reference leads out of it, or jsonschema is missing.
    """
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import best_match
        from jsonschema.validators import validator_for
        from referencing.jsonschema import EMPTY_REGISTRY
    except ImportError as error:
        raise UsageError(
            f"--schema needs the package jsonschema ({error})",
            hint="pip install 'easyllm-cli[schema]'",
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
            f'the schema is not valid: "$ref": "{unresolved}" leads nowhere',
            where=name,
            hint=REFERENCE_HINT,
        )
    return validator_class(document, registry=EMPTY_REGISTRY)


def find_unresolvable_reference(document: dict[str, Any], dialect: str) -> str:
    """The first reference that leads nowhere in the document, or ""."""
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
            # It may stand where the draft looks for no schema, with references of its own.
            pending.append((draft.create_resource(target.contents), target.resolver))
        pending += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]
    return ""


def format_validation_error(error: ValidationError) -> str:
    """Where and what, on one line: `$.items[2].age: "x" is not of type 'integer'`."""
    value = json.dumps(error.instance, ensure_ascii=False)
    short = value if len(value) <= MAX_VALUE_CHARS else value[:MAX_VALUE_CHARS] + "…"
    reason, value_repr = error.message, repr(error.instance)
    if reason.startswith(value_repr):
        reason = short + reason.removeprefix(value_repr)
    if len(reason) > MAX_REASON_CHARS:
        reason = reason[:MAX_REASON_CHARS] + "…"
    return f"{error.json_path}: {reason}"
