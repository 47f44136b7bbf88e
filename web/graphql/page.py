"""The page on which people write questions: own files alone, nothing inline, nothing from another host."""

from pathlib import Path

from starlette.responses import Response

from catalog.errors import NotFound

_FOLDER = Path(__file__).parent.parent / "static" / "graphql"
_MEDIA_TYPES = {
    "query.html": "text/html; charset=utf-8",
    "query.css": "text/css; charset=utf-8",
    "query.js": "text/javascript; charset=utf-8",
    "examples.json": "application/json",
}
PAGE = "query.html"
PAGE_FILES = {name: (_FOLDER / name).read_bytes() for name in _MEDIA_TYPES}

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page_file(name: str) -> Response:
    """Return the page or a file that it loads; raise `NotFound`."""
    if name not in PAGE_FILES:
        raise NotFound(f"expected {', '.join(PAGE_FILES)}, found {name!r:.100}")
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
    return Response(PAGE_FILES[name], media_type=_MEDIA_TYPES[name], headers=headers)
