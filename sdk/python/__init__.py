"""Helpers for Selaras plugins in Python.

`json.loads` makes floating point of numbers, so documents are read and written here: a number is a `Number`, the text it
came as. `decimal.Decimal(number)` computes with it exactly.
"""

import json
from dataclasses import replace
from decimal import Decimal

from componentize_py_types import Err
from wit_world.imports.types import PluginError

__all__ = ["Number", "bad_setting", "body", "error", "parse", "print_json", "settings", "with_body"]


class Number(str):
    """A number as the text it came as."""

    __slots__ = ()


def error(code, message, retryable=False, field=None):
    """What a plugin raises to say that it cannot: `raise error("invalid-price", "…", field="price")`."""
    return Err(PluginError(code, message, retryable, field))


def parse(text):
    """The value of a JSON text. Raises `invalid-document` when it is none, or has a name twice."""
    try:
        return json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_members
        )
    except (ValueError, RecursionError) as problem:
        raise error("invalid-document", f"not the JSON of a document: {problem}") from None


def body(document):
    """The object of a document's body. Raises `invalid-document` when it is none."""
    value = parse(document.body)
    if not isinstance(value, dict):
        raise error("invalid-document", "the document is not a JSON object")
    return value


def with_body(document, value):
    """The document with this object as its body."""
    return replace(document, body=print_json(value))


def print_json(value):
    """The JSON text of a value. A float is refused: what is not a `Number` is an int or a `decimal.Decimal`."""
    if isinstance(value, Number):
        return str(value)
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{_name(name)}:{print_json(value)}" for name, value in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(print_json(element) for element in value) + "]"
    raise TypeError(f"{value!r} has no exact JSON")


def settings(cx, known):
    """The settings, of which only these may be there. Raises `invalid-settings`."""
    found = parse(cx.settings) if cx.settings else {}
    for name in found:
        if name not in known:
            raise bad_setting(name, f"there is no setting `{name}`; there are: {', '.join(known)}")
    return found


def bad_setting(name, message):
    """The error of a setting that cannot be used."""
    return error("invalid-settings", message, field=name)


def _name(name):
    if not isinstance(name, str):
        raise TypeError(f"{name!r} is not a name")
    return json.dumps(name, ensure_ascii=False)


def _members(pairs):
    found = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!r} is there twice")
        found[name] = value
    return found


def _no_constant(word):
    raise ValueError(f"{word} is not JSON")
