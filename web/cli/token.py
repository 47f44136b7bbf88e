"""`headwater token`: made, listed and revoked in the database itself, so that it needs no server and no token."""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from catalog.errors import InvalidInput
from catalog.setting_sources import read_secret
from web.access.permissions import ROLE_PERMISSIONS, Role
from web.access.routes import token_members
from web.access.tokens import TokenStore
from web.cli.database import database_engine
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, group, settings_of
from web.cli.output import cell, print_json, print_line, print_table, say
from web.cli.text import instant

token = group("Create, list and revoke tokens.")

TokenName = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the token: the actor in what is done with it.")
]

_PERIOD = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def expiry(text: str, now: dt.datetime) -> dt.datetime:
    """Return the instant that `90d`, `12h` or an RFC 3339 text means; raise `InvalidInput`."""
    try:
        if (found := _PERIOD.fullmatch(text)) is not None:
            return now + dt.timedelta(**{_UNITS[found[2]]: int(found[1])})
        instant_given = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        message = f"expected a period such as 90d or 12h, or an instant such as 2026-12-31T00:00:00Z, found {text!r}"
        raise InvalidInput(message[:300]) from error
    return instant_given if instant_given.tzinfo is not None else instant_given.replace(tzinfo=dt.UTC)


@token.command("create")
def create(
    name: TokenName,
    role: Annotated[
        Role,
        typer.Option(
            help="; ".join(f"{role}: {', '.join(sorted(held))}" for role, held in ROLE_PERMISSIONS.items())
        ),
    ],
    expires: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Such as 90d, 12h or an instant; default never.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with the secret to use: hwt_ and 43 or more random letters, digits, _ and -. The same again"
            " changes nothing, and the secret is not printed.",
        ),
    ] = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Create a token and print its secret, which nobody can show again."""
    log_to_stderr()
    given = None if secret_file is None else read_secret("--secret-file", str(secret_file))
    ends = None if expires is None else expiry(expires, dt.datetime.now(dt.UTC))
    with database_engine(settings_of(data_dir), create=True) as engine:
        secret = TokenStore(engine).create(name, role, ends, secret=given)
    if given is not None:
        if as_json:
            print_json({"name": name, "role": role.value})
        say(f"{name} has the secret of {secret_file}")
        return
    if as_json:
        print_json({"name": name, "role": role.value, "token": secret})
        return
    print_line(secret)
    say(
        "This is shown once. Clients send it as Authorization: Bearer TOKEN; the command line reads HEADWATER_TOKEN."
    )


@token.command("list")
def list_tokens(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """List every token that was ever made, without secrets."""
    log_to_stderr()
    with database_engine(settings_of(data_dir)) as engine:
        tokens = [token_members(found) for found in TokenStore(engine).list()]
    if as_json:
        print_json({"tokens": tokens})
        return
    if not tokens:
        say("There are no tokens.")
        return
    rows = [
        [
            cell(found["name"]),
            cell(found["role"]),
            Text("valid", style="green")
            if found["valid"]
            else Text(_ended(found["revokedAt"]), style="yellow"),
            cell(instant(found["createdAt"])),
            cell(instant(found["expiresAt"]) if found["expiresAt"] else "never"),
        ]
        for found in tokens
    ]
    print_table(["NAME", "ROLE", "STATE", "CREATED", "EXPIRES"], rows)


def _ended(revoked_at: str | None) -> str:
    return "expired" if revoked_at is None else "revoked"


@token.command("revoke")
def revoke(name: TokenName, data_dir: DataDir = None) -> None:
    """Revoke a token: within 5 seconds every server refuses it."""
    log_to_stderr()
    with database_engine(settings_of(data_dir)) as engine:
        TokenStore(engine).revoke(name)
    say(f"revoked {name}")
