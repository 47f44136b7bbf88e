"""How a document names a secret: it never holds one."""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_REFERENCE_FORM = r"(?:env:HEADWATER_SECRET_[A-Za-z0-9_]{1,200}|file:[A-Za-z0-9][A-Za-z0-9._-]{0,200})"


def _secret_name(name: str) -> str:
    if re.fullmatch(_REFERENCE_FORM, name) is None:
        # What stands here by mistake may be the secret itself, so it is not repeated.
        raise PydanticCustomError("secret_name", "expected env:HEADWATER_SECRET_NAME or file:NAME")
    return name


SecretName = Annotated[
    str,
    AfterValidator(_secret_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_REFERENCE_FORM}$"}),
]
