"""The JSON schema of a configuration, in which every field says what it means."""

import ast
import inspect
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic.alias_generators import to_camel

from millrace_core.config.common import ConfigModel


def described_schema(model: type[ConfigModel]) -> dict[str, Any]:
    """Return the JSON schema of a model; what a field means is the text that stands below it in the code.

    Pydantic could do the same while the models are imported, which would make every service start half a second later.
    """
    schema: dict[str, Any] = model.model_json_schema()
    models = {each.__name__: each for each in _models(ConfigModel)}
    for name, part in ((model.__name__, schema), *schema.get("$defs", {}).items()):
        if name in models:
            _describe(models[name], part.get("properties", {}))
    return schema


def _models(parent: type[ConfigModel]) -> set[type[ConfigModel]]:
    return {parent}.union(*(_models(each) for each in parent.__subclasses__()))


def _describe(model: type[ConfigModel], properties: dict[str, dict[str, Any]]) -> None:
    for origin in reversed(model.__mro__):
        if issubclass(origin, ConfigModel):
            for field, text in _texts(origin).items():
                properties.get(to_camel(field), {})["description"] = text


@cache
def _texts(model: type[ConfigModel]) -> dict[str, str]:
    """Return the text below each field of a class, on one line."""
    (found,) = ast.parse(dedent(inspect.getsource(model))).body
    body = found.body if isinstance(found, ast.ClassDef) else []
    texts = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            texts[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split())
    return texts
