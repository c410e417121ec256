"""Arguments of a tool call against their JSON schema: types put right, mistakes named."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tools.errors import ToolError
from tools.verdict.handles import parse_handle

Schema = Mapping[str, Any]


def coerce(value: Any, schema: Schema) -> Any:
    """The value as the type that the schema asks for, wherever that loses nothing.

    Models write numbers as text, one photo where a list is wanted, "None" for no value. What
    does not fit stays as it is: `validation_error` names it.
    """
    for choice in _choices(schema):
        turned = _as_type(value, choice)
        if Draft202012Validator(choice).is_valid(turned):
            return turned
    # Nothing fits; the parts that do are still put right, so that the complaint is about the rest.
    return _as_type(value, _choices(schema)[0])


def _choices(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, those that are more than text first."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices is None and isinstance(schema.get("type"), list):
        choices = [{**schema, "type": name} for name in schema["type"]]
    # Every text is a string: asked first, "10" would never become the number it may stand for.
    return sorted(choices or [schema], key=lambda choice: choice.get("type") == "string")


def _as_type(value: Any, schema: Schema) -> Any:
    turn = _TURNS.get(schema.get("type", ""))
    return value if turn is None else turn(value, schema)


def _as_null(value: Any, _: Schema) -> Any:
    return None if value in ("None", "null", "") else value


def _as_boolean(value: Any, _: Schema) -> Any:
    words = {"true": True, "false": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _as_integer(value: Any, schema: Schema) -> Any:
    number = _as_number(value, schema)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _as_number(value: Any, _: Schema) -> Any:
    if not isinstance(value, str):
        return value
    parsed = _json_of(value)
    return parsed if isinstance(parsed, (int, float)) and not isinstance(parsed, bool) else value


def _as_string(value: Any, _: Schema) -> Any:
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if plain else value


def _as_array(value: Any, schema: Schema) -> Any:
    if isinstance(value, str):
        parsed = _json_of(value)
        value = parsed if isinstance(parsed, list) else [value.strip()]
    if not isinstance(value, list):
        return value
    items = schema.get("items", {})
    return [coerce(item, items) for item in value]


def _as_object(value: Any, schema: Schema) -> Any:
    if isinstance(value, str):
        value = _json_of(value)
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    required = schema.get("required", ())
    turned = {name: coerce(item, known.get(name, {})) for name, item in value.items()}
    # "No value" for an argument that may be left out means leaving it out.
    return {
        name: item
        for name, item in turned.items()
        if name in required or item not in (None, "None", "null") or _takes_null(known.get(name))
    }


def _takes_null(schema: Schema | None) -> bool:
    return schema is not None and any(it.get("type") == "null" for it in _choices(schema))


def _json_of(text: str) -> Any:
    """The text as JSON; the text itself when it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


_TURNS: Mapping[str, Callable[[Any, Schema], Any]] = {
    "null": _as_null,
    "boolean": _as_boolean,
    "integer": _as_integer,
    "number": _as_number,
    "string": _as_string,
    "array": _as_array,
    "object": _as_object,
}


def normalise_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the tools read them: handles of pictures without brackets or blanks."""
    return {name: _understood(value) for name, value in arguments.items()}


def _understood(value: Any) -> Any:
    if isinstance(value, list):
        return [_understood(item) for item in value]
    if not isinstance(value, str):
        return value
    try:
        handle = parse_handle(value)
    except ToolError:
        return value
    return value if handle.kind else str(handle)


def validation_error(arguments: Any, schema: Schema) -> str:
    """What is wrong with the arguments, in words for the model; "" when nothing is.

    Names that the schema does not know are wrong, whether it forbids them or not: they are
    made up, and a tool would ignore them.
    """
    if isinstance(arguments, dict):
        known = schema.get("properties", {})
        if unknown := [name for name in arguments if name not in known]:
            takes = ", ".join(known) or "no arguments"
            return f"no argument is called {unknown[0]!r}; it takes: {takes}"
    worst = best_match(Draft202012Validator(schema).iter_errors(arguments))
    if worst is None:
        return ""
    where = ".".join(str(part) for part in worst.absolute_path)
    return f"{where}: {worst.message}" if where else str(worst.message)
