"""The contract: one OpenAPI document of every route, and the page that shows it to people."""

import html
import json
import re
from string import Template
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lungcare import __version__, api
from lungcare.access import HEALTH
from lungcare.api import Batch, ConditionTexts, MappedReading
from lungcare.bundle import NETWORK, Card, FileRecord, Input
from lungcare.conditions import CODES
from lungcare.problem import EXAMPLE_PROBLEM, MEDIA_TYPE, STATUS_BY_CODE, Problem
from lungcare.reading import Reading
from lungcare.settings import Settings
from lungcare.words import LANGUAGES, sentences

_SCHEMAS = (Reading, MappedReading, Problem, Batch, ConditionTexts, Card)
_DESCRIPTION = (
    "Reads frontal chest films: how likely normal, pneumonia, tuberculosis and pneumothorax are. No diagnosis."
)
_OF_ALL = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_BATCH = {"schema_version": "1.0", "results": [api.EXAMPLE, EXAMPLE_PROBLEM], "model": "lungcare:1.0.0"}
_CARD = Card(
    name="lungcare",
    version="1.0.0",
    description="A network that tells the four conditions apart.",
    conditions=CODES,
    input=Input(size=224, preprocessing="Scaled into a square, geometry kept, the rest black."),
    training={"seed": 0},
    data={"training_films": {"normal/siim": 1000}},
    metrics={},
    files={NETWORK: FileRecord(bytes=13_000_000, sha256=64 * "0")},
).model_dump(mode="json")


def document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service with these settings."""
    _, schemas = models_json_schema(
        [(model, "serialization") for model in _SCHEMAS], ref_template="#/components/schemas/{model}"
    )
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "LungCare",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": settings.root_path or "/"}],
        "paths": _paths(settings),
        "components": {
            "schemas": schemas["$defs"],
            "headers": {
                "X-Request-ID": {
                    "description": "Names this request in the log of the service; that of the request, if it had one.",
                    "schema": {"type": "string"},
                }
            },
            "parameters": {
                "Accept-Language": {
                    "name": "Accept-Language",
                    "in": "header",
                    "description": f"Language of the sentences, one of {', '.join(LANGUAGES)}. Codes never change.",
                    "schema": {"type": "string"},
                    "example": "id",
                },
                "X-Request-ID": {
                    "name": "X-Request-ID",
                    "in": "header",
                    "description": "An id of yours for the request: up to 64 letters, digits, dots and dashes.",
                    "schema": {"type": "string"},
                },
            },
        },
    }
    if settings.keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"header": []}]
    return document


def _paths(settings: Settings) -> dict[str, Any]:
    film = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    megabytes = f"{settings.max_bytes / 1e6:g} MB"
    reading_problems = (400, 401, 408, 413, 415, 422, 429, 500, 503, 504)
    batch_problems = (400, 401, 408, 413, 415, 429, 500, 503, 504)
    many = {"type": "array", "items": film, "minItems": 1, "maxItems": api.MOST_FILMS}
    return {
        api.CLASSIFY: {
            "post": _operation(
                "classify",
                "Read one film.",
                f"PNG, JPEG, WebP, TIFF, BMP or DICOM, at most {megabytes}. The content counts, not the name or the "
                "declared type. The same film always gets the same answer, and nothing of it is kept.",
                Reading,
                reading_problems,
                body=_form(api.FIELD, film, {api.MAP: {"type": "boolean", "default": False}}),
                example=api.EXAMPLE,
                other=MappedReading,
            )
        },
        api.CLASSIFY_BATCH: {
            "post": _operation(
                "classify_batch",
                f"Read up to {api.MOST_FILMS} films.",
                f"At most {settings.max_batch_bytes / 1e6:g} MB together. A film that cannot be read does not keep the "
                "others from being read: its problem stands in its place.",
                Batch,
                batch_problems,
                body=_form(api.FILMS, many),
                example=_BATCH,
            )
        },
        api.MODEL: {
            "get": _operation(
                "model",
                "The card of the model.",
                "What belongs to the model: version, training, data and every figure. A browser gets it as a page.",
                Card,
                (401, 429, 500),
                example=_CARD,
                also={"text/html": {"schema": {"type": "string"}}},
            )
        },
        api.CONDITIONS_ROUTE: {
            "get": _operation(
                "conditions",
                "The conditions that are told apart.",
                "",
                ConditionTexts,
                (401, 429, 500),
                example=api.conditions(LANGUAGES[0]).model_dump(),
            )
        },
        "/livez": {"get": _probe("livez", "Whether the service runs.", ())},
        "/healthz": {"get": _probe("healthz", "The same as /livez.", ())},
        "/readyz": {"get": _probe("readyz", "Whether the service takes films.", (503,))},
        api.METRICS: {"get": _probe("metrics", "Counters and histograms, for Prometheus.", (401, 429))},
    }


def _operation(
    name: str,
    summary: str,
    description: str,
    model: type[BaseModel],
    problems: tuple[int, ...],
    body: dict[str, Any] | None = None,
    example: Any = None,
    also: dict[str, Any] | None = None,
    other: type[BaseModel] | None = None,
) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _reference(model)}
    if other is not None:
        content["schema"] = {"anyOf": [_reference(model), _reference(other)]}
    if example is not None:
        content["example"] = example
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "parameters": [{"$ref": f"#/components/parameters/{header}"} for header in ("Accept-Language", "X-Request-ID")],
        "responses": {
            "200": {
                "description": model.__doc__.splitlines()[0],
                "headers": _OF_ALL,
                "content": {"application/json": content, **(also or {})},
            },
            **{str(status): _problem(status) for status in problems},
        },
    }
    if body:
        operation["requestBody"] = body
    return operation


def _probe(name: str, summary: str, problems: tuple[int, ...]) -> dict[str, Any]:
    """A route that answers text. Those that ask after the health of the service need no key."""
    text = {
        "description": summary,
        "headers": _OF_ALL,
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {"200": text, **{str(status): _problem(status) for status in problems}},
    }
    if f"/{name}" in HEALTH:
        operation["security"] = []
    return operation


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _form(field: str, schema: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    form = {"type": "object", "required": [field], "properties": {field: schema, **(others or {})}}
    return {"required": True, "content": {"multipart/form-data": {"schema": form}}}


def _problem(status: int) -> dict[str, Any]:
    headers = dict(_OF_ALL)
    if status in (429, 503):
        headers["Retry-After"] = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
    return {
        "description": "Codes: " + ", ".join(_codes(status)) + ".",
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _codes(status: int) -> list[str]:
    return sorted(code for code, own in STATUS_BY_CODE.items() if own == status)


def help_page(settings: Settings, model: str, origin: str) -> str:
    """The page that shows the contract: one HTML document that loads nothing.

    model: tag of the model that is served. origin: where the service was reached, such as http://127.0.0.1:3000.
    """
    contract = document(settings)
    template = Template((api.PAGES / "docs.html").read_text(encoding="utf-8"))
    schemas = contract["components"]["schemas"]
    return template.substitute(
        version=html.escape(__version__),
        model=html.escape(model),
        origin=html.escape(origin),
        root=html.escape(settings.root_path),
        keys=_of_keys() if settings.keys else "",
        routes="".join(_route(path, *item) for path, methods in contract["paths"].items() for item in methods.items()),
        schemas="".join(_schema(name, schemas[name]) for name in sorted(schemas) if name != "Card"),
        codes="".join(
            f'<tr id="{code}"><td>{STATUS_BY_CODE[code]}</td><td><code>{code}</code></td>'
            f"<td>{html.escape(_sentence(code))}</td></tr>"
            for code in sorted(STATUS_BY_CODE, key=lambda code: (STATUS_BY_CODE[code], code))
        ),
    )


def _of_keys() -> str:
    return (
        "<p>This service wants a key: send it as <code>Authorization: Bearer &hellip;</code> or "
        "<code>X-API-Key: &hellip;</code>.</p>"
    )


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    """What the page says of one route."""
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    fields = "".join(
        f"<li>Field <code>{name}</code>: {_kind(field)}</li>" for name, field in form.get("properties", {}).items()
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{html.escape(answer['description'])}</td><td>{_types(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return f"""
<h3 id="{operation["operationId"]}"><code>{method.upper()} {html.escape(path)}</code></h3>
<p>{html.escape(operation["summary"])} {html.escape(operation.get("description", ""))}</p>
{f"<ul>{fields}</ul>" if fields else ""}
<div class="wide"><table><tr><th>Status</th><th>Meaning</th><th>Content</th></tr>{answers}</table></div>
{_example(operation)}"""


def _example(operation: dict[str, Any]) -> str:
    """What the route answers, where the contract has an example of it."""
    content = operation["responses"]["200"]["content"].get("application/json", {})
    if "example" not in content:
        return ""
    shown = html.escape(json.dumps(content["example"], indent=1, ensure_ascii=False))
    return f"<details><summary>Example of an answer</summary><pre>{shown}</pre></details>"


def _types(answer: dict[str, Any]) -> str:
    parts = []
    for media_type, content in answer.get("content", {}).items():
        schema = content["schema"]
        linked = _kind(schema) if "anyOf" in schema or "$ref" in schema else ""
        parts.append(f"<code>{media_type}</code> {linked}")
    return "<br>".join(parts)


def _schema(name: str, schema: dict[str, Any]) -> str:
    """Rows of a table: name, type and meaning of each field."""
    rows = "".join(
        f"<tr><td><code>{field}</code></td><td>{_kind(told)}</td>"
        f"<td>{html.escape(told.get('description', ''))}</td></tr>"
        for field, told in schema.get("properties", {}).items()
    )
    return f"""
<h3 id="schema-{name}">{name}</h3>
<p>{html.escape(schema.get("description", "").splitlines()[0] if schema.get("description") else "")}</p>
<div class="wide"><table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>{rows}</table></div>"""


def _kind(schema: dict[str, Any]) -> str:
    """The type of a field, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name if name == "Card" else f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "const" in schema:
        return f"<code>{html.escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_kind(schema.get('items', {}))}{most}"
    return html.escape(str(schema.get("type", "any")))


def _sentence(code: str) -> str:
    """The English sentence of a code, with an ellipsis where a value goes."""
    return re.sub(r"\{\w+\}", "…", sentences("en")[f"refusal.{code}.message"])
