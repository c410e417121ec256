"""What goes between models and tools: argument types, their validation, and compact JSON."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from langchain_core.tools import BaseTool
from pydantic import BeforeValidator, ValidationError

from tools.agent_tools.handle_parsing import normalise_handle
from tools.errors import ToolError


def _handle(written: Any) -> Any:
    """Convert a picture's handle to the workspace's form."""
    return normalise_handle(written) if isinstance(written, str) else written


def _several(written: Any) -> Any:
    """Convert one handle, or a list written as text, to a list."""
    if not isinstance(written, str):
        return written
    try:
        listed = json.loads(written)
    except (ValueError, RecursionError):  # too deep, or a number of thousands of digits
        listed = written
    return listed if isinstance(listed, list) else [written]


def _number(written: Any) -> Any:
    if isinstance(written, bool):
        raise ValueError(f"{written} is no number")
    return written


Picture = Annotated[str, BeforeValidator(_handle)]
Pictures = Annotated[list[Picture], BeforeValidator(_several)]
Number = Annotated[int, BeforeValidator(_number)]


def check_arguments(
    tools: Mapping[str, BaseTool], name: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Validate and convert the arguments a model wrote; ToolError explains what is invalid.

    Models write numbers as text, one photo where a list is required, "None" for no value. Argument
    names unknown to the tool are refused: the model made them up, and the tool would ignore them.
    """
    if name not in tools:
        raise ToolError(f"no tool is called {name!r}; there are: {', '.join(tools) or 'none'}")
    takes = tools[name].args
    if unknown := [it for it in given if it not in takes]:
        known = ", ".join(takes) or "no arguments"
        raise ToolError(f"{name}: no argument is called {unknown[0]!r}; it takes: {known}")
    stated = {it: value for it, value in given.items() if value not in (None, "None", "null", "")}
    schema: Any = tools[name].args_schema
    try:
        checked: dict[str, Any] = schema.model_validate(stated).model_dump(exclude_unset=True)
    except ValidationError as error:
        refuse(error)
    return checked


def compact_json(content: dict[str, Any]) -> str:
    """A tool's answer for the model: JSON without spaces, since every token counts."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def refuse(error: ValidationError) -> NoReturn:
    """Raise a ToolError that lets the model correct its arguments."""
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'arguments'}: {each['msg'].lower()}"
        for each in error.errors()
    )
    raise ToolError(f"the arguments do not fit: {wrong}") from error
