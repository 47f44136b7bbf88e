"""What Headwater runs on and in: versions, disk, the data folder, the address that it listens on."""

import importlib.metadata
import os
import platform
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from catalog.unknown_settings import unknown_variables
from web.access.boundary import Boundary
from web.doctor.finding import Finding, ok, problem, unknown, warning
from web.ingest.disk import DiskGuard

OLDEST_PYTHON = (3, 11)
MIB = 1024 * 1024
#: The disk is worth a look before ingest stops.
DISK_WARNING_FACTOR = 3

_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:==([^;,\s]+))?")


def check_versions() -> Iterator[Finding]:
    """Yield the versions of Headwater, Python and what is pinned exactly, because its inner workings are relied on."""
    version = importlib.metadata.version("headwater")
    python = platform.python_version()
    if sys.version_info[:2] >= OLDEST_PYTHON:
        yield ok(
            "versions", f"Headwater {version} on Python {python}, {platform.system()} {platform.machine()}"
        )
    else:
        yield problem("versions", f"Python {python}", "use Python 3.11 or later")
    wrong = []
    for requirement in importlib.metadata.requires("headwater") or []:
        match = _REQUIREMENT.match(requirement)
        if match is None or "extra ==" in requirement or match[2] is None:
            continue
        try:
            found = importlib.metadata.version(match[1])
        except importlib.metadata.PackageNotFoundError:
            found = "none"
        if found != match[2]:
            wrong.append(f"{match[1]} {found} where {match[2]} is needed")
    if wrong:
        yield problem("dependencies", "; ".join(wrong), "install Headwater again, with its constraints.txt")
    else:
        yield ok("dependencies", "those that are pinned exactly are there")


def check_variables() -> Iterator[Finding]:
    """Yield whether every variable that looks like a setting is one."""
    unknown = unknown_variables()
    if unknown:
        advice = "`headwater config show` says which settings there are; mend or remove the variable"
        yield warning("variables", "; ".join(str(found) for found in unknown), advice)
    else:
        yield ok("variables", "every HEADWATER_ variable is a setting")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Yield whether there is room for what comes in."""
    free = DiskGuard(settings.data_dir, settings.min_free_disk_bytes).free_bytes()
    found = f"{free // MIB} MiB free for {settings.data_dir}"
    if free < settings.min_free_disk_bytes:
        needed = settings.min_free_disk_bytes // MIB
        yield problem(
            "disk", f"{found}; ingest answers 503 below {needed} MiB", "make room, or move the data folder"
        )
    elif free < settings.min_free_disk_bytes * DISK_WARNING_FACTOR:
        yield warning("disk", found, f"make room before it is {settings.min_free_disk_bytes // MIB} MiB")
    else:
        yield ok("disk", found)


def check_data_folder(settings: Settings) -> Iterator[Finding]:
    """Yield whether other users of the machine can reach the data folder and the local token."""
    folder, token = settings.data_dir, settings.local_token_file
    yield _place("data-folder", folder, stat.S_IWGRP | stat.S_IWOTH, f"chmod go-w '{folder}'")
    yield _place(
        "local-token", token, stat.S_IRWXG | stat.S_IRWXO, f"rm '{token}': the next start makes a new one"
    )


def _place(check: str, place: Path, forbidden: int, advice: str) -> Finding:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return ok(check, f"{place} does not exist yet")
    except OSError as error:
        return unknown(check, f"{place}: {error.strerror}", "run doctor as the user who runs Headwater")
    mode = f"{stat.S_IMODE(found.st_mode):04o}"
    if found.st_uid != os.geteuid():
        found_text = f"{place} belongs to user {found.st_uid}, this is user {os.geteuid()}"
        return warning(check, found_text, "run Headwater and its command line as one user")
    if found.st_mode & forbidden:
        return problem(check, f"{place} has mode {mode}: other users may reach it", advice)
    return ok(check, f"{place} has mode {mode}")


def check_address(settings: Settings) -> Iterator[Finding]:
    """Yield whom the address to listen on lets in."""
    try:
        boundary = Boundary.of(settings)
    except ConfigurationError as error:
        yield problem("address", error.message, "set HEADWATER_HOST to an address of this machine")
        return
    if boundary.loopback_only:
        yield ok("address", f"{settings.host}: this machine alone")
    else:
        yield ok("address", f"{settings.host}: other machines too, so that every request needs a token")
