"""Variables that look like settings and are none: a typing error in one would otherwise go unseen."""

import difflib
import os
from dataclasses import dataclass

from catalog.setting_sources import variables_of
from catalog.settings import ClientSettings, Settings

PREFIX = "HEADWATER_"
#: What documents name as secrets, and what tests read.
_OTHER_PREFIXES = ("HEADWATER_SECRET_", "HEADWATER_TEST_")
#: What a started run finds in its environment.
_OTHERS = frozenset({"HEADWATER_RUN_ID", "HEADWATER_ATTEMPT", "HEADWATER_TRIGGER"})


@dataclass(frozen=True, slots=True)
class UnknownVariable:
    """A variable of the environment that no setting is read from; `nearest` is the one that may be meant."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f": did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.name} is set and no setting is called so{hint}"


def unknown_variables() -> list[UnknownVariable]:
    """Return each variable of this process that begins like a setting and is none, by name."""
    known = variables_of(Settings) | variables_of(ClientSettings)
    return [
        UnknownVariable(name, next(iter(difflib.get_close_matches(name.upper(), sorted(known), 1)), None))
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX)
        and name.upper() not in known | _OTHERS
        and not name.upper().startswith(_OTHER_PREFIXES)
    ]
