"""Secrets within text: passwords in URIs and connection texts; this alone knows what they look like.

`redact_text` puts `MARK` in the place of each, wherever it stands; redacting again changes nothing.

Recognised are `scheme://user:secret@host` (also `s3://KEY:SECRET@bucket`), `jdbc:oracle:thin:user/secret@…`,
whatever ends in `password=…`, `passwd=…`, `pwd=…` or `passphrase=…`, and parameters of a query or of a list
with semicolons whose name ends in one of `_PARAMETERS`. User names and ids of access keys stay.
"""

import re
from collections.abc import Iterable, Iterator

MARK = "[redacted]"

#: Names whose value is a secret wherever they stand before an equals sign.
_PASSWORDS = ("password", "passwd", "pwd", "passphrase")
#: Names whose value is a secret as a parameter of a query (`?…&…`) or in a list with semicolons.
_PARAMETERS = (
    *("secret", "token", "signature", "sig"),
    *(
        f"{kind}{joint}key"
        for kind in ("access", "account", "api", "private", "secret")
        for joint in ("", "_", "-")
    ),
)
_ENDS_LIKE_A_SECRET = tuple(name.encode() for name in _PASSWORDS + _PARAMETERS)

# Repetitions that could run over the same text again from many starts are bounded, so that the time stays
# proportional to the text, whoever wrote it.

#: What stands before a password in a URI; the slashes may be escaped once more, in JSON within JSON. A
#: bracket begins an IPv6 address.
_USER = re.compile(r""":\\{0,8}/\\{0,8}/(?!\[)[^\s/?#@:"'<>]*:""", re.ASCII)
#: The rest of a URI up to its path or query.
_AUTHORITY = re.compile(r"""[^\s/?#"'<>]*""", re.ASCII)
#: One port, or the ports and names of several hosts.
_PORTS = re.compile(r"\d+(?:,[^\s,/?#@]{1,256}:\d+){0,64}(?:[/?#]|\Z)", re.ASCII)
#: A password with a slash or question mark that should have been escaped.
_UNESCAPED = re.compile(r"""[^\s"'<>]{1,256}""", re.ASCII)
_ANY_CASE = re.IGNORECASE | re.ASCII
#: The value after an equals sign: quoted, or in braces, or bare up to a blank, semicolon or ampersand.
_VALUE = re.compile(
    r"""(?:'[^']{0,512}'|\\{0,16}"[^"]{0,512}"|\{[^}]{0,512}\})?(?:(?!\\{1,16}["'])[^\s;&"'])*""", re.ASCII
)
_PASSWORD = re.compile(rf"(?:{'|'.join(_PASSWORDS)})[ ]{{0,3}}=(?!=)[ ]{{0,3}}", _ANY_CASE)
_PARAMETER = re.compile(rf"(?:{'|'.join(_PARAMETERS)})[ ]{{0,3}}=(?!=)[ ]{{0,3}}", _ANY_CASE)
#: What stands before a parameter's name: the beginning of the parameter, at most so many characters away.
_BEGINNING = re.compile(r"[?&;][\w.\- ]*\Z", re.ASCII)
_LONGEST_PARAMETER = 48
_ORACLE = re.compile(r"""(jdbc:oracle:\w{1,16}:[^\s/@"']{1,64}/)[^\s@"']{1,128}(?=@)""", _ANY_CASE)


def redact_text(text: str) -> str:
    """Return the text with every secret in it replaced by `MARK`; the same text where there is none."""
    if "@" in text:
        text = _ORACLE.sub(rf"\1{MARK}", _without_passwords(text))
    if "=" in text:
        text = _without_values(text, _PASSWORD.finditer(text))
        text = _without_values(
            text, (match for match in _PARAMETER.finditer(text) if _begins_in_list(text, match))
        )
    return text


def holds_address_with_password(text: str) -> bool:
    """Return whether a URI or connection text in the text has a password, which is not empty, before its @."""
    if "@" not in text:
        return False
    return any(end > start for start, end in _passwords(text)) or _ORACLE.search(text) is not None


def _without_passwords(text: str) -> str:
    """Return the text without the passwords of its URIs."""
    pieces: list[str] = []
    position = 0
    for start, end in _passwords(text):
        pieces += [text[position:start], MARK]
        position = end
    return "".join([*pieces, text[position:]]) if pieces else text


def _passwords(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each password in a URI begins and ends, in order."""
    position, at = 0, -1
    for user in _USER.finditer(text):
        start = user.end()
        if at < start:
            at = text.find("@", start)
            if at < 0:
                return
        end = _end_of_password(text, start, at) if user.start() >= position else -1
        if end >= 0:
            yield start, end
            position = end


def _end_of_password(text: str, start: int, at: int) -> int:
    """Return where the password ends that begins at `start`, before the last @ of its URI's authority.

    `at` is the first @ that follows. -1 means that there is no password: what follows is a port, for example.
    """
    authority = _end_of(_AUTHORITY, text, start)
    if at >= authority:
        if _PORTS.match(text, start) or _end_of(_UNESCAPED, text, start) < at:
            return -1
        authority = _end_of(_AUTHORITY, text, at)
    return text.rfind("@", start, authority)


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _begins_in_list(text: str, name: re.Match[str]) -> bool:
    return _BEGINNING.search(text, max(0, name.start() - _LONGEST_PARAMETER), name.start()) is not None


def _without_values(text: str, names: Iterable[re.Match[str]]) -> str:
    """Return the text without the values that stand after the names."""
    pieces: list[str] = []
    position = 0
    for name in names:
        # A name within a value that is already gone has nothing left to hide.
        value = _VALUE.match(text, name.end()) if name.start() >= position else None
        if value is not None and value[0]:
            pieces += [text[position : name.end()], MARK]
            position = value.end()
    return "".join([*pieces, text[position:]]) if pieces else text


def may_hold_secret(canonical: bytes) -> bool:
    """Whether every text of an event must be looked at; never false where `redact_text` would change one.

    This runs for every event, so it only uses what passes over the canonical form at the speed of C.
    """
    # No expression looks past a quotation mark before it has found its @, so the pieces between suffice.
    if b"@" in canonical and any(b"@" in piece and b":" in piece for piece in canonical.split(b'"')):
        return True
    if b"=" not in canonical:
        return False
    before_equals = canonical.lower().split(b"=")[:-1]
    return any(piece[-16:].rstrip(b" ").endswith(_ENDS_LIKE_A_SECRET) for piece in before_equals)
