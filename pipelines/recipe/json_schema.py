"""The JSON Schema of recipes as people write them, with which editors complete and check YAML.

The schema comes from the typed configurations, and its descriptions from their docstrings. `reference.py` turns it into
`docs/recipes.md` and the answers of `yt8m recipe explain`, so that all three say the same.
"""

import inspect
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

import docstring_parser
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from pipelines.recipe.grid import GRID, GridConfig
from pipelines.recipe.imports import FamilyImport, ModelImport
from pipelines.recipe.models import MAX_NAME_LENGTH, NAME_PATTERN
from pipelines.recipe.schema import FILLED_IN, Recipe
from yt8m.config import Config
from yt8m.models.architecture import ArchitectureConfig

Schema = dict[str, Any]

SCHEMA_FILE = "recipe.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PAPER = "\n\nThe paper: "
"""What separates the meaning of a key from what the paper used, in descriptions of the schema."""

# A sentence of a key's documentation may end with what the paper, or its authors' code, used.
_PAPER_NOTE = re.compile(r"\s*\(the paper: ([^()]*(?:\([^()]*\)[^()]*)*)\)")
_SHARED = (
    "Options of all trainings: epochs, learning rate, batch size and others. Candidates and students inherit "
    "them unless they have their own."
)
_FORMER_ARCHITECTURE = "family"
_REFERENCE = "#/$defs/"


def recipe_schema() -> Schema:
    """Return the JSON Schema of recipes as they are written, before inherited values are filled in.

    A recipe refers to the schema by a comment `# yaml-language-server: $schema=PATH`, where PATH is relative to the
    recipe. The shipped recipes name the file beside them. For a recipe elsewhere, write this schema beside it as
    `SCHEMA_FILE`, and `modeline()` as the recipe's first line.
    """
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (each, "validation") for each in (Recipe, ModelImport, FamilyImport, GridConfig)
    ]
    definitions = models_json_schema(models, schema_generator=_Generator)[1]["$defs"]
    _write_recipe(definitions)
    recipe = definitions.pop("Recipe")
    return {
        "$schema": DIALECT,
        "title": "Recipe of yt8m",
        **recipe,
        "$defs": {name: definitions[name] for name in sorted(_used(recipe, definitions))},
    }


def schema_text() -> str:
    """Return the content of `SCHEMA_FILE`."""
    return json.dumps(recipe_schema(), indent=1) + "\n"


def modeline() -> str:
    """Return the comment by which a recipe tells editors that its schema is the file `SCHEMA_FILE` beside it."""
    return f"# yaml-language-server: $schema={SCHEMA_FILE}"


def definition(schema: Schema, root: Schema) -> Schema:
    """Return the schema to which a reference leads; others as they are."""
    found: Schema = root["$defs"][schema["$ref"].removeprefix(_REFERENCE)] if "$ref" in schema else schema
    return found


class _Generator(GenerateJsonSchema):
    """Pydantic's JSON Schema with descriptions from docstrings."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        json = super().dict_schema(schema)
        patterns = json.pop("patternProperties", {})
        for pattern, values in patterns.items():  # at most one, to which other keys are no exception
            json |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return json

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        json = super().model_schema(schema)
        cls = schema["cls"]
        json.pop("title", None)
        json["description"] = _parsed(cls.__doc__)[0]
        for name, field in cls.model_fields.items():
            entry = json["properties"][field.alias or name]
            entry["description"] = key_description(cls, name)
            _write_default(entry, field)
            if is_tag(field):
                json["required"] = [*json.get("required", ()), name]
                entry.pop("default")
        # As documented, which is the order in which people write them.
        keys = {name: field.alias or name for name, field in cls.model_fields.items()}
        order = [*(keys.get(name, name) for name in _parsed(cls.__doc__)[1]), *json["properties"]]
        json["properties"] = dict(sorted(json["properties"].items(), key=lambda item: order.index(item[0])))
        if issubclass(cls, ArchitectureConfig):
            _add_former_key(json)
        return json


def is_tag(field: FieldInfo) -> bool:
    """Return whether a field has a single possible value, by which the members of a union are told apart."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def key_description(cls: type[BaseModel], name: str) -> str:
    """Return the meaning of a configuration's key, and what the paper used, from the docstring of its class."""
    text = next((found for each in cls.__mro__ if (found := _parsed(each.__doc__)[1].get(name))), "")
    paper = "; ".join(note[1] for note in _PAPER_NOTE.finditer(text))
    meaning = re.sub(r"\.\.(?=\s|$)", ".", _PAPER_NOTE.sub("", text))  # a note after an abbreviation
    return meaning + (PAPER + paper if paper else "")


@cache
def _parsed(docstring: str | None) -> tuple[str, Mapping[str, str]]:
    """Return what the docstring of a class says of the class, and of each of its attributes."""
    parsed = docstring_parser.parse(inspect.cleandoc(docstring or ""), docstring_parser.DocstringStyle.GOOGLE)
    about = "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)
    attributes = {each.args[1]: " ".join((each.description or "").split()) for each in parsed.meta if each.args[1:]}
    return re.sub(r"(?<!\n)\n(?!\n)", " ", about), attributes


def _write_default(entry: Schema, field: FieldInfo) -> None:
    """Write only what differs from other defaults, and nothing for a section whose keys have their own defaults."""
    if isinstance(field.default, Config):
        tags = {
            name: getattr(field.default, name)
            for name, each in type(field.default).model_fields.items()
            if is_tag(each)
        }
        entry["default"] = {**tags, **field.default.model_dump(mode="json", exclude_defaults=True)}
        if not entry["default"]:
            del entry["default"]


def _add_former_key(json: Schema) -> None:
    """Allow the former name of the key `architecture`."""
    tag = json["properties"]["architecture"]
    if "const" not in tag:
        return
    json["properties"][_FORMER_ARCHITECTURE] = {
        "const": tag["const"],
        "deprecated": True,
        "description": "Former name of `architecture`.",
    }
    json["required"].remove("architecture")
    json["oneOf"] = [{"required": [key]} for key in ("architecture", _FORMER_ARCHITECTURE)]


def _write_recipe(definitions: Schema) -> None:
    """Change the schema of complete recipes to that of recipes as they are written."""
    recipe, family, candidate, student, ensemble = (
        definitions[name]["properties"]
        for name in ("Recipe", "FamilyConfig", "CandidateConfig", "StudentConfig", "EnsembleConfig")
    )
    for section in FILLED_IN:
        del recipe[section]
    shared = {"$ref": _REFERENCE + "TrainingConfig", "description": _SHARED}
    entries = list(recipe.items())
    after = [key for key, _ in entries].index("data") + 1
    definitions["Recipe"]["properties"] = {**dict(entries[:after]), "training": shared, **dict(entries[after:])}
    for name in ("SearchConfig", "GenerateConfig", "TrainingConfig"):
        del definitions[name]["properties"]["seed"]["default"]  # the recipe's
    del student["average"]["default"]  # that of the model that the student is like
    definitions["CandidateConfig"]["required"] = ["model"]
    definitions["StudentConfig"]["required"] = ["learn_from"]
    for owner, key in ((candidate, "training"), (student, "training"), (recipe, "ensemble"), (ensemble, "search")):
        owner[key] = _nullable(owner[key])
    _allow_imports(recipe["families"], ensemble)
    _allow_grids(family["candidates"], definitions)
    names = {"pattern": NAME_PATTERN, "maxLength": MAX_NAME_LENGTH}
    for named in (recipe["families"], recipe["teacher_groups"], recipe["students"], family["candidates"]):
        named["propertyNames"] = names


def _allow_imports(families: Schema, ensemble: Schema) -> None:
    """Allow models of other runs in place of a family, and of the ensemble's members.

    Args:
        families: Schema of the families.
        ensemble: Schemas of the ensemble's keys.
    """
    families["additionalProperties"] = {
        "anyOf": [families["additionalProperties"], {"$ref": _REFERENCE + "FamilyImport"}]
    }
    run = {"$ref": _REFERENCE + "ModelImport"}
    members = ensemble["members"]
    ensemble["members"] = {
        "description": members.pop("description"),
        "default": members.pop("default"),
        "anyOf": [{**members, "items": {"anyOf": [members["items"], run]}}, run],
    }


def _allow_grids(candidates: Schema, definitions: Schema) -> None:
    """Allow a grid, or a list of grids, among the candidates of a family."""
    inside = definitions["GridConfig"]["properties"]
    name = inside.pop("name")
    definitions["GridConfig"]["properties"] = {
        "name": name,
        **_in_grid({"properties": inside}, definitions)["properties"],
    }
    grid = {"$ref": _REFERENCE + "GridConfig"}
    candidates["properties"] = {
        GRID: {
            "description": definitions["GridConfig"]["description"],
            "anyOf": [grid, {"type": "array", "items": grid}],
        }
    }


def _nullable(entry: Schema) -> Schema:
    """Return the schema of an entry that may also be null."""
    outside = {key: value for key, value in entry.items() if key in ("description", "default")}
    inside = {key: value for key, value in entry.items() if key not in outside}
    return {**outside, "anyOf": [inside, {"type": "null"}]}


def _in_grid(entry: Schema, definitions: Schema) -> Schema:
    """Return the schema of a grid's entry, in which a list of values may stand for every value."""
    if "$ref" in entry:
        name = entry["$ref"].removeprefix(_REFERENCE)
        definitions.setdefault(f"{name}InGrid", {})  # for types that contain themselves
        definitions[f"{name}InGrid"] = definitions[f"{name}InGrid"] or _in_grid(definitions[name], definitions)
        return {**entry, "$ref": f"{_REFERENCE}{name}InGrid"}
    if "discriminator" in entry:
        kept = {key: value for key, value in entry.items() if key not in ("discriminator", "oneOf")}
        return {**kept, "anyOf": [_in_grid(each, definitions) for each in entry["oneOf"]]}
    if "properties" not in entry:
        return entry
    properties = {}
    for key, value in entry["properties"].items():
        one = _in_grid(
            {name: part for name, part in value.items() if name not in ("description", "default")}, definitions
        )
        several: Schema = {"type": "array", "items": one, "minItems": 1}
        if "const" in value:  # one of the variants of a union, which can vary as well
            tags = [each["properties"][key]["const"] for each in definitions.values() if _has_tag(each, key)]
            several |= {"items": {"enum": sorted(set(tags))}, "contains": one}
        properties[key] = {"description": value["description"], "anyOf": [one, several]}
    return {**entry, "properties": properties}


def _has_tag(schema: Schema, key: str) -> bool:
    return "const" in schema.get("properties", {}).get(key, ())


def _used(schema: Any, definitions: Schema) -> set[str]:
    """Return the names of the definitions to which a schema leads."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            name = str(here.get("$ref", "")).removeprefix(_REFERENCE)
            if name and name not in found:
                found.add(name)
                waiting.append(definitions[name])
        waiting += here.values() if isinstance(here, dict) else here if isinstance(here, list) else []
    return found
