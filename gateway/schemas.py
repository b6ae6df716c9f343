"""marshmallow schemas as JSON Schema 2020-12, and a sample value for each."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, fields, missing, validate

from crmkit import codec
from crmkit.messages import Command, schema

JsonSchema = dict[str, Any]
ID = "0199c1f2-7c1e-7d1a-9d0e-6f0f8f7b2a11"
MOMENT = "2026-11-22T03:04:05Z"

# The first class that fits counts, so subclasses stand before their bases.
_TYPES: tuple[tuple[type[fields.Field[Any]], JsonSchema], ...] = (
    (fields.UUID, {"type": "string", "format": "uuid"}),
    (fields.Email, {"type": "string", "format": "email"}),
    (fields.Url, {"type": "string", "format": "uri"}),
    (fields.String, {"type": "string"}),
    (fields.Boolean, {"type": "boolean"}),
    (fields.Integer, {"type": "integer"}),
    (fields.Float, {"type": "number"}),
    (fields.DateTime, {"type": "string", "format": "date-time"}),
    (fields.Date, {"type": "string", "format": "date"}),
    (fields.Time, {"type": "string", "format": "time"}),
)
_DECIMAL = {"type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$"}


class Components:
    """The named schemas of a document; a class is named once and referred to everywhere."""

    def __init__(self) -> None:
        self.schemas: dict[str, JsonSchema] = {}
        self._names: dict[type[Schema], str] = {}

    def reference(self, kind: type[Schema]) -> JsonSchema:
        """A reference to the schema of a class, which is added when it is not there yet."""
        name = self._names.get(kind)
        if name is None:
            name = self._names[kind] = self._free_name(kind)
            self.schemas[name] = {}
            self.schemas[name] = self.described(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _free_name(self, kind: type[Schema]) -> str:
        if kind.__name__ not in self.schemas:
            return kind.__name__
        owner = kind.__module__.rsplit(".", 1)[-1]
        return f"{owner.title().replace('_', '')}{kind.__name__}"

    def described(self, kind: type[Schema], *, without: frozenset[str] = frozenset()) -> JsonSchema:
        """The schema of a class, less the fields named."""
        shown = {
            one.data_key or name: one
            for name, one in schema(kind).fields.items()
            if (one.data_key or name) not in without
        }
        found: JsonSchema = {
            "type": "object",
            "properties": {name: self.field(one) for name, one in shown.items()},
        }
        required = [name for name, one in shown.items() if one.required]
        if required:
            found["required"] = required
        if kind.__doc__:
            found["description"] = plain(kind.__doc__)
        if issubclass(kind, Command):
            found["additionalProperties"] = False
        return found

    def field(self, one: fields.Field[Any]) -> JsonSchema:
        """The schema of one field."""
        found = self._type(one)
        for validator in one.validators:
            found.update(_constraint(validator, found.get("type")))
        if one.load_only:
            found["writeOnly"] = True
        if one.dump_only:
            found["readOnly"] = True
        default = one.load_default
        if default is not missing and default is not None and not callable(default):
            found["default"] = codec.loads(codec.dumps(default))
        return _nullable(found) if one.allow_none else found

    def _type(self, one: fields.Field[Any]) -> JsonSchema:
        if isinstance(one, fields.Nested):
            nested = one.schema
            inner = self.reference(type(nested))
            return {"type": "array", "items": inner} if one.many else dict(inner)
        if isinstance(one, fields.List):
            return {"type": "array", "items": self.field(one.inner)}
        if isinstance(one, fields.Dict):
            value = one.value_field
            return {"type": "object", "additionalProperties": self.field(value) if value else True}
        if isinstance(one, fields.Decimal):
            return dict(_DECIMAL)
        for kind, found in _TYPES:
            if isinstance(one, kind):
                return dict(found)
        return {}


def _nullable(found: JsonSchema) -> JsonSchema:
    if "type" not in found:
        return {"anyOf": [found, {"type": "null"}]} if found else found
    nullable = {**found, "type": [found["type"], "null"]}
    if "enum" in nullable:
        nullable["enum"] = [*nullable["enum"], None]
    return nullable


_COUNTED = {"array": "Items", "object": "Properties"}


def _length(validator: validate.Length, noun: str) -> JsonSchema:
    exact = validator.equal
    low = validator.min if exact is None else exact
    high = validator.max if exact is None else exact
    bounds = {f"min{noun}": low, f"max{noun}": high}
    return {name: value for name, value in bounds.items() if value is not None}


def _constraint(validator: Callable[..., Any], kind: str | None) -> JsonSchema:
    """What a validator demands of a value of that type, as far as JSON Schema can say it."""
    if isinstance(validator, validate.Length):
        return _length(validator, _COUNTED.get(kind or "", "Length"))
    if isinstance(validator, validate.Range):
        bounds = {"minimum": validator.min, "maximum": validator.max}
        return {name: value for name, value in bounds.items() if value is not None}
    if isinstance(validator, validate.OneOf):
        return {"enum": list(validator.choices)}
    if isinstance(validator, validate.Equal):
        return {"const": validator.comparable}
    if isinstance(validator, validate.Regexp):
        return {"pattern": str(validator.regex.pattern).replace(r"\Z", "$")}
    return {}


def plain(docstring: str) -> str:
    """A docstring as running text, one blank line between paragraphs."""
    paragraphs = docstring.strip().split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in paragraphs).replace("``", "`")


def sample(kind: type[Schema], *, without: frozenset[str] = frozenset()) -> Any:
    """An example of a schema: its own where it has one, else made from its fields."""
    given: Mapping[str, Any] | None = getattr(kind, "example", None)
    if given is not None:
        return {name: value for name, value in given.items() if name not in without}
    reply = issubclass(kind, Command) is False
    return {
        one.data_key or name: _sample_field(one)
        for name, one in schema(kind).fields.items()
        if (one.data_key or name) not in without and (one.required or reply)
    }


def _sample_field(one: fields.Field[Any]) -> Any:
    if isinstance(one, fields.Nested):
        value = sample(type(one.schema))
        return [value] if one.many else value
    if isinstance(one, fields.List):
        return [_sample_field(one.inner)]
    if isinstance(one, fields.Dict):
        return {}
    for validator in one.validators:
        if isinstance(validator, validate.OneOf):
            return next(iter(validator.choices))
        if isinstance(validator, validate.Equal):
            return validator.comparable
    return _sample_scalar(one)


_SAMPLES: tuple[tuple[type[fields.Field[Any]], Any], ...] = (
    (fields.UUID, ID),
    (fields.Email, "minjun@rapport.example"),
    (fields.Url, "https://rapport.example/"),
    (fields.Boolean, True),
    (fields.Decimal, "1234.50"),
    (fields.Integer, 1),
    (fields.Float, 0.5),
    (fields.DateTime, MOMENT),
    (fields.Date, "2026-11-22"),
    (fields.Time, "09:00:00"),
)


def _sample_scalar(one: fields.Field[Any]) -> Any:
    for kind, value in _SAMPLES:
        if isinstance(one, kind):
            return value
    for validator in one.validators:
        if isinstance(validator, validate.Regexp) and "[A-Z]{2}" in validator.regex.pattern:
            return "KR"
    return "text"
