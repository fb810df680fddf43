"""Parameters: what a client sent as a model of ours or a type of lsprotocol, or which problems it has."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import cattrs
from lsprotocol import converters
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from pygls.exceptions import JsonRpcInvalidParams

#: A million wrong elements need no million sentences, a name of a megabyte none at all.
_PROBLEMS_LIMIT = 20
_NAME_LIMIT = 100

_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}

Model = TypeVar("Model", bound=BaseModel)


@functools.cache
def converter() -> cattrs.Converter:
    """lsprotocol's converter, made once, that takes no number for a string nor the reverse."""
    made = converters.get_converter()
    for kind in _KINDS:
        made.register_structure_hook(kind, _exactly)
    return made


def _exactly(value: Any, kind: type[Any]) -> Any:
    if kind not in _KINDS:  # an enum of strings or numbers
        return kind(value)
    if type(value) is kind:
        return value
    if kind in (int, float) and type(value) in (int, float) and kind(value) == value:  # 3.0 is an integer in JSON
        return kind(value)
    raise TypeError


def validate(model: type[Model], params: Any) -> Model:
    """Parameters as a model; JsonRpcInvalidParams names each problem, without the values."""
    value = {} if params is None or params == [] else params  # Lua sends {} as []
    try:
        # As JSON and not as Python values: strict models then still take a string for an enum.
        return model.model_validate_json(to_json(value, inf_nan_mode="null"))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid_params((p["loc"], p["msg"], p["type"]) for p in found) from error


def structure(converter: cattrs.Converter, params: Any, kind: Any) -> Any:
    """Parameters as a type of lsprotocol, if there is one; JsonRpcInvalidParams as for `validate`."""
    if kind is None:
        return params
    try:
        return converter.structure(params, kind)
    except Exception as error:  # lsprotocol's hooks stumble over hostile input in any way
        found = cattrs.transform_error(error, format_exception=_sentence)
        raise invalid_params(_located(problem) for problem in found) from error


def _sentence(error: BaseException, kind: Any) -> str:
    if isinstance(error, KeyError):
        return "Field required"
    named = kind.__name__ if isinstance(kind, type) else "value"
    return f"Input should be a valid {_KINDS.get(kind, named)}"


def _located(problem: str) -> tuple[tuple[str, ...], str, str]:
    sentence, _, path = problem.rpartition(" @ $")
    names = tuple(to_camel(name) for name in re.findall(r"[^.\[\]]+", path))
    return names, sentence, "missing" if sentence == "Field required" else "value_error"


def invalid_params(problems: Iterable[tuple[tuple[int | str, ...], str, str]]) -> JsonRpcInvalidParams:
    """The error for parameters with these problems: where, sentence, type."""
    data = []
    for loc, sentence, kind in list(problems)[:_PROBLEMS_LIMIT]:
        data.append({"loc": [shortened(part) for part in loc], "msg": shortened(sentence), "type": kind})
    told = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'params'}: {p['msg']}" for p in data[:3])
    return JsonRpcInvalidParams(f"Invalid params: {told}", data=data)


def shortened(text: Any) -> Any:
    """A name that the client made up, at a length that can be logged and sent back; numbers as they are."""
    if not isinstance(text, str) or len(text) <= _NAME_LIMIT:
        return text
    return text[: _NAME_LIMIT - 1] + "…"
