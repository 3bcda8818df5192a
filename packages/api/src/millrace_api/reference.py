"""The reference of the API, made from its OpenAPI document: a page for a browser, and a table for the docs.

The page needs no script and nothing from another host, so it works offline and runs nothing.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from starlette.responses import HTMLResponse, Response

_METHODS = ("get", "post", "put", "patch", "delete")
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere }
td, th { text-align: left; vertical-align: top; padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid #8886 }
table { border-collapse: collapse; width: 100% }
summary { cursor: pointer }
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Operation(NamedTuple):
    """One route and method."""

    method: str
    path: str
    summary: str
    parameters: tuple[str, ...]
    body: str | None
    """The name of the body's schema; None if there is no body."""
    is_open: bool
    """Whether it needs no token."""


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Yield every operation of an OpenAPI document, in its order."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if (found := item.get(method)) is not None:
                yield _operation(method, path, found)


def markdown_table(document: Mapping[str, Any]) -> str:
    """Return a table of all operations for the docs."""
    lines = ["| method | path | does | parameters | body |", "|---|---|---|---|---|"]
    for each in operations(document):
        parameters = ", ".join(f"`{name}`" for name in each.parameters)
        body = "" if each.body is None else f"`{each.body}`"
        summary = each.summary.replace("|", "\\|")
        lines.append(f"| {each.method} | `{each.path}` | {summary} | {parameters} | {body} |")
    return "\n".join(lines) + "\n"


def reference_page(document: Mapping[str, Any]) -> Response:
    """Return the page that lists every operation and every schema."""
    rows = "".join(map(_row, operations(document)))
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{title}: API</h1><p>{escape(document['info']['description'])} "
        'The same for programs: <a href="/api/v1/openapi.json">openapi.json</a>.</p>'
        "<table><thead><tr><th>Route<th>Does<th>Parameters<th>Body</thead><tbody>"
        f"{rows}</tbody></table><h2>Schemas</h2>{schemas}"
    )
    return HTMLResponse(page, headers=_HEADERS)


def _operation(method: str, path: str, found: Mapping[str, Any]) -> Operation:
    description = " ".join(str(found.get("description") or found.get("summary") or "").split())
    body = found.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Operation(
        method.upper(),
        path,
        description,
        tuple(each["name"] for each in found.get("parameters", ())),
        None if body is None else str(body.get("$ref", "object")).rpartition("/")[2],
        found.get("security") == [],
    )


def _row(each: Operation) -> str:
    parameters = " ".join(f"<code>{escape(name)}</code>" for name in each.parameters)
    body = "" if each.body is None else f'<a href="#{escape(each.body)}">{escape(each.body)}</a>'
    token = " (no token)" if each.is_open else ""
    return (
        f"<tr><td><code>{each.method} {escape(each.path)}</code><td>{escape(each.summary)}{token}"
        f"<td>{parameters}<td>{body}"
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(_field(field, of) for field, of in schema.get("properties", {}).items())
    summary = f'<details id="{escape(name)}"><summary>{escape(name)}</summary>'
    return f"{summary}<p>{escape(schema.get('description', ''))}</p><table>{rows}</table></details>"


def _field(name: str, schema: Mapping[str, Any]) -> str:
    about = escape(schema.get("description", ""))
    return f"<tr><td><code>{escape(name)}</code><td><code>{escape(_type(schema))}</code><td>{about}"


def _type(schema: Mapping[str, Any]) -> str:
    if (ref := schema.get("$ref")) is not None:
        return str(ref).rpartition("/")[2]
    if (among := schema.get("anyOf")) is not None:
        return " | ".join(map(_type, among))
    if (values := schema.get("enum")) is not None:
        return " | ".join(map(repr, values))
    kind = str(schema.get("type", "any"))
    return f"{kind} of {_type(schema['items'])}" if isinstance(schema.get("items"), dict) else kind
