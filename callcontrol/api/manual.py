"""The API's manual: one page, made from its OpenAPI description, that loads nothing from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem }
code { font: 0.9em ui-monospace, monospace } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid #8883 }
b.method { display: inline-block; min-width: 3.5rem } pre { white-space: pre-wrap }
"""


def page(openapi: Mapping[str, Any]) -> str:
    schemas = openapi.get("components", {}).get("schemas", {})
    parts = [
        f"<h1>{escape(openapi['info']['title'])} {escape(openapi['info']['version'])}</h1>",
        (
            f"<p>{escape(openapi['info'].get('description', ''))}"
            ' The same for machines: <a href="/openapi.json">openapi.json</a>.'
            " Everything below <code>/v1</code> needs <code>Authorization: Bearer &lt;token&gt;</code>.</p>"
        ),
    ]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation, schemas)
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>callcontrol API</title>'
        f"<style>{_STYLE}</style><body>{body}</body></html>"
    )


def _operation(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f'<h2><b class="method">{method.upper()}</b> <code>{escape(path)}</code></h2>'
    yield f"<p>{escape(operation.get('description', '')).replace(chr(10) * 2, '</p><p>')}</p>"
    parameters = operation.get("parameters", [])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    rows = [
        (p["name"], p["in"], p.get("required", False), p["schema"], p.get("description", ""))
        for p in parameters
    ]
    rows += [(*row[:1], "body", *row[1:]) for row in _fields(content.get("schema", {}), schemas)]
    if rows:
        yield "<table><tr><th>Field</th><th>In</th><th>Type</th><th></th></tr>"
        for name, where, required, schema, text in rows:
            must = "" if required else ", optional"
            yield (
                f"<tr><td><code>{escape(name)}</code></td><td>{where}</td>"
                f"<td>{escape(_type(schema))}{must}</td><td>{escape(text)}</td></tr>"
            )
        yield "</table>"
    answers = "; ".join(
        f"<b>{code}</b> {escape(answer['description'])}" for code, answer in operation["responses"].items()
    )
    yield f"<p>Answers: {answers}</p>"


def _fields(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], before: str = ""
) -> Iterator[tuple[str, bool, Mapping[str, Any], str]]:
    found = _resolved(schema, schemas)
    for name, child in found.get("properties", {}).items():
        yield f"{before}{name}", name in found.get("required", []), child, child.get("description", "")
        if _resolved(child, schemas).get("properties"):
            yield from _fields(child, schemas, f"{before}{name}.")


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in (schema, *schema.get("anyOf", [])):
        if "$ref" in one:
            found: Mapping[str, Any] = schemas[one["$ref"].rpartition("/")[2]]
            return found
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    choices = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    names = ["object" if "$ref" in one else str(one.get("type", "any")) for one in choices]
    return " or ".join(names)
