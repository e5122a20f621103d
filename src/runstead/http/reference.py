"""/docs: the OpenAPI document as a page that people read. One piece of HTML; nothing in it is fetched from anywhere."""

from collections.abc import Iterator
from functools import cache
from html import escape
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from runstead.http import openapi
from runstead.http.openapi import Json

# Whatever somebody may slip into a description: a browser loads and runs nothing.
HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
nav a { margin-right: 1rem; }
section { border-top: 1px solid #8886; margin-top: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #8883; padding: .2rem .6rem .2rem 0; text-align: left; vertical-align: top; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
h3 code b { display: inline-block; min-width: 4.5rem; }
"""
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "{} characters at least",
    "maxLength": "{} characters at most",
    "minItems": "{} at least",
    "maxItems": "{} at most",
    "maxProperties": "{} pairs at most",
    "pattern": "matches {}",
    "default": "default {}",
}


def routes() -> list[Route]:
    """/docs, open to everybody like the document that it shows."""
    made = cache(lambda: page(msgspec.json.decode(openapi.encoded())))

    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(made(), headers=HEADERS)

    return [Route("/docs", docs)]


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    links = "".join(f'<a href="#{_anchor(name)}">{escape(_spoken(name))}</a>' for name in [*groups, "schemas"])
    schemas = "".join(_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    sections = "".join(_section(name, "".join(operations)) for name, operations in groups.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><p>{escape(info['summary'])}. "
        'For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"<nav>{links}</nav>{sections}{_section('schemas', schemas)}</html>"
    )


def _section(name: str, contents: str) -> str:
    return f'<section id="{_anchor(name)}"><h2>{escape(_spoken(name))}</h2>{contents}</section>'


def _operation(method: str, path: str, operation: Json) -> str:
    told = [operation["summary"], operation.get("description", "")]
    lines = [f'<h3 id="{operation["operationId"]}"><code><b>{method.upper()}</b>{escape(path)}</code></h3>']
    lines += [f"<p>{escape(words)}</p>" for words in told if words]
    rows = [
        (f"{each['name']} <small>({each['in']})</small>", _type(each["schema"]), escape(each.get("description", "")))
        for each in operation["parameters"]
    ]
    if "requestBody" in operation:
        for kind, content in operation["requestBody"]["content"].items():
            rows.append((f"body <small>({kind})</small>", _type(content["schema"]), ""))
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            rows.append(
                (f"{status} <small>({kind})</small>", _type(content.get("schema", {})), escape(answer["description"]))
            )
    return "".join(lines) + _table(rows)


def _schema(name: str, schema: Json) -> str:
    rows = [
        (
            f"{field} <small>(required)</small>" if field in schema.get("required", ()) else field,
            _type(each),
            _limits(each),
        )
        for field, each in schema.get("properties", {}).items()
    ]
    told = f"<p>{escape(schema['description'])}</p>" if schema.get("description") else ""
    return f'<h3 id="{_anchor(name)}"><code>{escape(name)}</code></h3>{told}{_table(rows) if rows else _type(schema)}'


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(f"<tr><td><code>{a}</code></td><td>{b}</td><td>{c}</td></tr>" for a, b, c in rows)
    return f"<table>{lines}</table>"


def _type(schema: Json) -> str:
    """A schema in a few words, with links to those that have a name."""
    return " or ".join(dict.fromkeys(_kinds(schema))) or "anything"


def _kinds(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield f'<a href="#{_anchor(name)}">{escape(name)}</a>'
    elif "enum" in schema:
        yield from (f"<code>{escape(str(word))}</code>" for word in schema["enum"])
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _kinds(each)
    elif schema.get("type") == "array":
        yield f"list of {_type(schema.get('items', {}))}"
    elif "type" in schema:
        yield from schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def _limits(schema: Json) -> str:
    kinds: list[Json] = [schema, *schema.get("anyOf", [])]
    found = [
        words.format(_shown(each[name]))
        for each in kinds
        for name, words in LIMITS.items()
        if each.get(name) is not None
    ]
    return escape(", ".join(dict.fromkeys(found)))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _spoken(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _anchor(name: str) -> str:
    return escape(name.replace(" ", "-"), quote=True)
