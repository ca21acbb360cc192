"""One form field per parameter, by its type; the manifest judges what it says."""

import json
import math
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from processing.forms.parameters import ParameterText, Schema, write_value

_SCALARS = {"integer", "number", "string"}


class JsonField(forms.Field):
    """A parameter of any type, as JSON; the manifest judges what it says."""

    def __init__(self, text: ParameterText, **kwargs: Any) -> None:
        self.text = text
        kwargs.setdefault("widget", forms.Textarea({"rows": 3, "spellcheck": "false"}))
        unit = f" ({text.unit})" if text.unit else ""
        super().__init__(
            label=f"{text.label}{unit}",
            help_text=self.explain(),
            required=False,  # an empty field has a meaning of its own, see to_python
            **kwargs,
        )

    def explain(self) -> str:
        """Return help and limits in one line."""
        parts = [self.text.help.rstrip("."), self.text.limits]
        if self.text.is_optional:
            parts.append("may be empty")
        return "; ".join(part for part in parts if part)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else self.write(value)

    def to_python(self, value: Any) -> Any:
        entered = value.strip() if isinstance(value, str) else ""
        if entered:
            return self.read(entered)
        if self.text.is_optional:
            return None
        known = self.text.default is not None
        hint = f"; the default is {write_value(self.text.default)}" if known else ""
        raise ValidationError(f"Enter a value{hint}.")

    def read(self, entered: str) -> Any:
        try:
            return json.loads(entered)
        except ValueError as error:
            raise ValidationError(f"This is not JSON: {error}.") from error

    def write(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)


class NumberField(JsonField):
    """
    An integer or a real number.

    The browser checks no bounds: the message beside the field says more than its bubble.
    """

    def __init__(self, text: ParameterText) -> None:
        super().__init__(text, widget=forms.NumberInput({"step": "any", "inputmode": "decimal"}))

    def read(self, entered: str) -> Any:
        return _read_scalar(entered, self.text.schema["type"])


class TextField(JsonField):
    def __init__(self, text: ParameterText) -> None:
        super().__init__(text, widget=forms.TextInput({"spellcheck": "false"}))

    def to_python(self, value: Any) -> Any:
        return value or (None if self.text.is_optional else "")


class ChoiceField(JsonField):
    """One of few values, or of yes and no; an optional one may stay open."""

    def __init__(self, text: ParameterText) -> None:
        self.values = {
            write_value(value): value for value in text.schema.get("enum", (True, False))
        }
        choices = [(word, word) for word in self.values]
        if text.is_optional:
            choices.insert(0, ("", write_value(None)))
        super().__init__(text, widget=forms.Select(choices=choices))

    def explain(self) -> str:
        return self.text.help

    def read(self, entered: str) -> Any:
        if entered not in self.values:
            raise ValidationError(f"Choose one of {', '.join(self.values)}.")
        return self.values[entered]

    def write(self, value: Any) -> str:
        return write_value(value)


class SwitchField(JsonField):
    def __init__(self, text: ParameterText) -> None:
        super().__init__(text, widget=forms.CheckboxInput())

    def prepare_value(self, value: Any) -> Any:
        return value

    def to_python(self, value: Any) -> bool:
        return bool(value)


class ListField(JsonField):
    """Scalars: a tuple on one line with spaces between, a list one to a line."""

    def __init__(self, text: ParameterText) -> None:
        self.is_tuple = "prefixItems" in text.schema
        widget = forms.TextInput() if self.is_tuple else forms.Textarea({"rows": 4})
        super().__init__(text, widget=widget)

    def to_python(self, value: Any) -> Any:
        is_empty = not (isinstance(value, str) and value.strip())
        if is_empty and not (self.is_tuple or self.text.is_optional):
            return []  # no line at all is a list of nothing
        return super().to_python(value)

    def explain(self) -> str:
        how = (
            f"{len(self.text.schema['prefixItems'])} values with spaces between"
            if self.is_tuple
            else "one value per line"
        )
        return "; ".join(part for part in (super().explain(), how) if part)

    def read(self, entered: str) -> list[Any]:
        parts = entered.replace(",", " ").split() if self.is_tuple else entered.splitlines()
        items = self.text.schema.get("prefixItems") or [self.text.schema["items"]] * len(parts)
        # A wrong number of values is for the schema to refuse: the last type stands in.
        items = [*items, *[items[-1]] * (len(parts) - len(items))]
        return [
            _read_scalar(part.strip(), item["type"])
            for part, item in zip(parts, items, strict=False)
            if part.strip()
        ]

    def write(self, value: Any) -> str:
        return (" " if self.is_tuple else "\n").join(map(str, value))


def _read_scalar(entered: str, kind: str) -> Any:
    if kind == "string":
        return entered
    if kind == "integer" and entered.lstrip("+-").isdecimal():
        return int(entered)  # exact also beyond 2^53
    example = "a whole number, such as 1000" if kind == "integer" else "a number, such as 0.95"
    try:
        value = float(entered)
    except ValueError as error:
        raise ValidationError(f"{entered} is not a number. Enter {example}.") from error
    if not math.isfinite(value) or (kind == "integer" and not value.is_integer()):
        raise ValidationError(f"Enter {example}.")
    return int(value) if kind == "integer" else value


def draw_field(text: ParameterText) -> JsonField:
    """Choose the field that fits a parameter's type."""
    kind = text.schema.get("type")
    if "enum" in text.schema or (kind == "boolean" and text.is_optional):
        return ChoiceField(text)
    fields: dict[Any, type[JsonField]] = {
        "boolean": SwitchField,
        "integer": NumberField,
        "number": NumberField,
        "string": TextField,
    }
    if kind == "array" and _are_scalars(text.schema):
        return ListField(text)
    return fields[kind](text) if kind in fields else JsonField(text)


def _are_scalars(schema: Schema) -> bool:
    items = schema.get("prefixItems") or [schema.get("items", {})]
    return all(item.get("type") in _SCALARS for item in items)
