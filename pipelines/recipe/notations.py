"""Notations of Kubernetes, as types of the cluster's configuration: quantities, names, labels."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function


@dataclass(frozen=True)
class Notation:
    """A form of strings, for type annotations. An empty string means "not set" and is valid.

    Attributes:
        pattern: Regular expression of the other valid strings.
        expected: What they are, for error messages.
        longest: Maximum length.
    """

    pattern: str
    expected: str
    longest: int = 253

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Add the check to the type's own."""
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the form to the type's JSON Schema."""
        return {**handler(schema), "pattern": f"^({self.pattern})?$", "maxLength": self.longest}

    def _check(self, value: str) -> str:
        if value and (not re.fullmatch(self.pattern, value) or len(value) > self.longest):
            raise ValueError(f"expected {self.expected}")
        return value


# Notations of quantities that KFP accepts, a subset of those of Kubernetes.
Cpu = Annotated[str, Notation(r"([0-9]*\.)?[0-9]+m?", "a string with CPUs, such as '4', '0.5' or '500m'")]
Bytes = Annotated[str, Notation(r"[0-9]+([EPTGMK]i?)?", "a number of bytes such as 16Gi or 16G")]
ObjectName = Annotated[
    str,
    Notation(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "the name of a Kubernetes object: lower-case letters, digits, hyphens, dots"
    ),
]
LabelKey = Annotated[
    str,
    Notation(
        r"([a-z0-9.-]+/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "the key of a label, such as cloud.google.com/gke-spot"
    ),
]
LabelValue = Annotated[
    str,
    Notation(
        r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", "the value of a label: at most 63 letters, digits, '-', '_', '.'", 63
    ),
]
Variable = Annotated[str, Notation(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
MountPath = Annotated[str, Notation(r"/.+", "an absolute path")]
