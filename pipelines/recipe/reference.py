"""The reference of recipes: every key with its type, range, default, meaning and the paper's value.

It is read from the JSON Schema of recipes. `docs/recipes.md` and `yt8m recipe explain` show it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pipelines.recipe.grid import GRID
from pipelines.recipe.json_schema import PAPER, Schema, definition, recipe_schema
from yt8m.errors import ConfigError, suggest_similar
from yt8m.yaml_files import dump_line

ANY_NAME = "*"
_REQUIRED = "required"
# Key by which a section takes models of another run.
_IMPORT = "from"
# Similarity from which a name is taken for a misspelled key.
_SIMILAR = 0.8
# Numbers from here on have separators of thousands, as YAML allows.
_LONG = 10_000


@dataclass(frozen=True)
class Key:
    """A key of recipes.

    Attributes:
        name: The key.
        type: Type and range of its value, in words.
        default: Its default as written in YAML, `required`, or empty if it depends on other keys.
        meaning: What the key does.
        paper: What the paper used. Empty if the paper does not say.
        has_entries: Whether its value is a mapping by name, or a list.
    """

    name: str
    type: str
    default: str
    meaning: str
    paper: str
    has_entries: bool


@dataclass
class Section:
    """A mapping of keys, which may occur at several places of a recipe.

    Attributes:
        about: What the section is.
        variant: What tells it from other sections at the same place, such as the architecture `netvlad`. Empty if
            there is no other, or this is the usual one.
        keys: Its keys, in the order in which people write them.
        paths: Its places, with `*` for names that the user chooses and for entries of lists. The recipe itself is
            at the empty path.
    """

    about: str
    variant: str
    keys: tuple[Key, ...]
    paths: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The first path without names, with the form of the section as its last part."""
        return ".".join([*_without_names(self.paths[0].split(".")), *filter(None, [self.variant])])


class Reference:
    """All keys of recipes.

    Attributes:
        sections: The sections, each before those within it; first the recipe itself.
    """

    def __init__(self) -> None:
        self._schema = recipe_schema()
        self._by_schema: dict[str, Section] = {}
        self._collect(self._schema, "", "recipe")
        self.sections = list(self._by_schema.values())

    def find(self, text: str) -> list[tuple[Section, Key | None]]:
        """Find the keys that a text means, or the sections.

        Args:
            text: Path of the key with names, with `*` for names, or without names; or the end of such a path. The form
                of a section may be part of it: `model.netvlad.num_clusters`, `model.netvlad`.

        Returns:
            Each key with its section; None for a section itself.

        Raises:
            ConfigError: There is no such key.
        """
        wanted = _split(text)
        keys: list[tuple[Sequence[str], Section, Key | None]] = [
            (path, section, key)
            for section in self.sections
            for key in section.keys
            for place in section.paths
            for path in _spellings(place, section.variant, key)
        ]
        sections: list[tuple[Sequence[str], Section, Key | None]] = [
            ([*place.split("."), *filter(None, [section.variant])], section, None)
            for section in self.sections
            for place in section.paths
        ]
        for matches, among in ((_is_path, keys), (_is_end, keys), (_is_end, sections), (_is_entry, keys)):
            found = [(section, key) for path, section, key in among if matches(path, wanted)]
            if found and not (matches is _is_entry and self._is_misspelled(wanted[-1], found)):
                return list({(id(section), key): (section, key) for section, key in found}.values())
        known = [_without_names(path) for path, _, _ in keys]
        # The text may be the end of a path. Of equally similar ones, the first is suggested.
        similar = suggest_similar(text, {".".join(path[start:]): "" for path in known for start in range(len(path))})
        raise ConfigError(
            f"{text}: recipes have no such key. {similar}{' ' * bool(similar)}`yt8m recipe explain` lists the sections."
        )

    def _is_misspelled(self, name: str, found: Sequence[tuple[Section, Key | None]]) -> bool:
        """Return whether what could be the name of an entry looks like a key of the entries instead."""
        inner = [each for section, key in found if key for each in self.within(section, key)]
        return bool(get_close_matches(name, [key.name for each in inner for key in each.keys], cutoff=_SIMILAR))

    def within(self, section: Section, key: Key) -> list[Section]:
        """Return the sections that the value of a key, or one of its entries, can be."""
        starts = {f"{path}.{key.name}".removeprefix(".") for path in section.paths}
        places = starts | {f"{start}.{part}" for start in starts if key.has_entries for part in (ANY_NAME, GRID)}
        return [each for each in self.sections if places & set(each.paths)]

    def _collect(self, schema: Schema, path: str, name: str) -> None:
        """Add the sections that a value at a path can be, and those within it.

        Args:
            schema: Schema of the value.
            path: Path of the value.
            name: What tells sections apart: their place in the schema.
        """
        options = self._options(schema, name)
        for key, each in options:
            if each.get("additionalProperties") is False:
                self._add(each, path, key)
        for key, each in options:
            # The keys of models and trainings are the same in a grid as elsewhere.
            if each.get("additionalProperties") is False and path.endswith(f".{GRID}"):
                continue
            if isinstance(others := each.get("additionalProperties"), dict):
                self._collect(others, f"{path}.{ANY_NAME}", key)
            for entry, inner in each.get("properties", {}).items():
                if not inner.get("deprecated"):
                    self._collect(inner, f"{path}.{entry}".removeprefix("."), f"{key}/{entry}")
            if "items" in each and GRID not in path.split("."):
                self._collect(each["items"], f"{path}.{ANY_NAME}", key)

    def _options(self, schema: Schema, name: str) -> list[tuple[str, Schema]]:
        """Return the alternatives for a value, each with its name."""
        name = schema.get("$ref", name)
        schema = definition(schema, self._schema)
        if "type" in schema:
            return [(name, schema)]
        options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return [found for index, each in enumerate(options) for found in self._options(each, f"{name}/{index}")]

    def _add(self, schema: Schema, path: str, name: str) -> None:
        """Add a place of a section."""
        entries = {key: entry for key, entry in schema["properties"].items() if not entry.get("deprecated")}
        variants = [entry["const"] for entry in entries.values() if "const" in entry] + [_IMPORT] * (_IMPORT in entries)
        if name not in self._by_schema:
            keys = tuple(self._key(key, entry, schema.get("required", ())) for key, entry in entries.items())
            self._by_schema[name] = Section(schema["description"], variants[0] if variants else "", keys)
        paths = self._by_schema[name].paths
        paths += [path] if path not in paths else []

    def _key(self, name: str, entry: Schema, required: Sequence[str]) -> Key:
        meaning, _, paper = entry["description"].partition(PAPER)
        default = in_yaml(entry["default"]) if "default" in entry else ""
        default = _REQUIRED if name in required or "const" in entry else default
        kind = _or(self._types(entry))
        return Key(name, kind, default, meaning, paper, kind.startswith(("mapping", "list")))

    def _types(self, schema: Schema, *, plural: bool = False) -> list[str]:
        """Return the alternatives for a value in words."""
        schema = definition(schema, self._schema)
        if "const" in schema or "enum" in schema:
            return [f"`{in_yaml(value)}`" for value in schema.get("enum", [schema.get("const")])]
        if "type" not in schema:
            options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
            return list(dict.fromkeys(word for each in options for word in self._types(each, plural=plural)))
        singular, several = _NOUNS[schema["type"]]
        noun = several if plural else singular
        if "prefixItems" in schema:
            inner = self._types(schema["prefixItems"][0], plural=True)
            return [f"{noun} of {len(schema['prefixItems'])} {_or(inner)}"]
        if "items" in schema:
            return [f"{noun} of {_or(self._types(schema['items'], plural=True))}{_range(schema)}"]
        if isinstance(others := schema.get("additionalProperties"), dict):
            noun = "mappings" if plural else "mapping"
            return [f"{noun} from names to {_or(self._types(others, plural=True))}"]
        return [noun + _range(schema)]


_NOUNS = {
    "array": ("list", "lists"),
    "boolean": ("true or false", "true or false"),
    "integer": ("whole number", "whole numbers"),
    "null": ("null", "null"),
    "number": ("number", "numbers"),
    "object": ("section", "sections"),
    "string": ("text", "texts"),
}


def in_yaml(value: Any) -> str:
    """Return a value as people write it in YAML, on one line."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return f"{value:_}" if value >= _LONG else str(value)
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        point = "" if "." in mantissa else ".0"  # without it, YAML reads a text
        return f"{mantissa}{point}e{int(power):+d}" if exponent else mantissa
    return dump_line({"a": value}).removeprefix("{a: ").removesuffix("}").strip()


def first_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", text, maxsplit=1)[0]


def _split(text: str) -> list[str]:
    """Split a path at its dots. An index in brackets is a part of its own."""
    return [part.rstrip("]") for part in text.replace("[", ".").split(".") if part]


def _without_names(path: Sequence[str]) -> list[str]:
    return [part for part in path if part != ANY_NAME]


def _spellings(place: str, variant: str, key: Key) -> Iterator[tuple[str, ...]]:
    """Iterate over the ways to write the path of a key: with the form of its section, for an entry, in a grid."""
    parts = [part for part in place.split(".") if part]
    candidate = ["families", ANY_NAME, "candidates", ANY_NAME]
    for start in [parts, [*parts, variant]] if variant else [parts]:
        for end in [(key.name,), (key.name, ANY_NAME)] if key.has_entries else [(key.name,)]:
            yield (*start, *end)
            if start[-1:] == [GRID]:
                yield (*start, ANY_NAME, *end)
            if start[: len(candidate)] == candidate:
                yield (*candidate[:-1], GRID, *start[len(candidate) :], *end)
                yield (*candidate[:-1], GRID, ANY_NAME, *start[len(candidate) :], *end)


def _is_path(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether the path of a key is the wanted one, which may have names or none."""
    return path[-1] != ANY_NAME and (_fits(path, wanted) or _without_names(path) == _without_names(wanted))


def _is_end(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether the path of a key ends with the wanted one."""
    return any(_is_path(each[-len(wanted) :], wanted) for each in (path, _without_names(path)) if path[-1] != ANY_NAME)


def _is_entry(path: Sequence[str], wanted: Sequence[str]) -> bool:
    """Return whether the wanted path is that of an entry of a key's value."""
    return path[-1] == ANY_NAME and (_fits(path, wanted) or _fits([*_without_names(path), ANY_NAME], wanted))


def _fits(path: Sequence[str], wanted: Sequence[str]) -> bool:
    return len(path) == len(wanted) and all(part in (ANY_NAME, word) for part, word in zip(path, wanted, strict=True))


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _range(schema: Schema) -> str:
    """Return the limits of a value in parentheses, or nothing."""
    whole = schema["type"] == "integer"
    parts = [
        text.format(in_yaml(schema[key] + (change if whole else 0)))
        for key, text, change in (
            ("exclusiveMinimum", "at least {}" if whole else "above {}", 1),
            ("minimum", "at least {}", 0),
            ("exclusiveMaximum", "at most {}" if whole else "below {}", -1),
            ("maximum", "at most {}", 0),
            ("multipleOf", "a multiple of {}", 0),
            ("minItems", "at least {}", 0),
            ("maxItems", "at most {}", 0),
        )
        if key in schema
    ]
    return f" ({', '.join(parts)})" if parts else ""
