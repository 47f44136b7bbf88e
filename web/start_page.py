"""`/`: a page that says what this is, what it holds and where its interfaces are. It loads nothing else."""

import base64
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from catalog.errors import DatabaseUnavailable
from web.access import Permission, require
from web.health import VERSION
from web.vitals import Contents, Probe

_FOLDER = Path(__file__).parent
_PAGE = Template((_FOLDER / "start_page.html").read_text("utf-8"))
_STYLE = (_FOLDER / "start_page.css").read_text("utf-8")
_STYLE_DIGEST = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_DIGEST}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_LINKS = (
    ("/graphql", "GraphQL", "ask about lineage, runs and pipelines, from the browser"),
    ("/openapi.json", "OpenAPI", "the HTTP interface as a machine reads it"),
    ("/readyz", "Readiness", "each check, and what it found"),
    ("/metrics", "Metrics", "for Prometheus"),
    ("/healthz", "Liveness", "whether the process lives"),
)


def _contents(contents: Contents | None) -> str:
    if contents is None:
        return "<p>The database does not answer just now, so this is not known.</p>"
    rows = (
        ("Datasets", contents.datasets),
        ("Jobs", contents.jobs),
        ("Runs of jobs", contents.runs),
        ("Pipelines", contents.pipelines),
        ("Pipeline runs", contents.pipeline_runs),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in rows)
    hint = "" if contents.datasets else "<p>Nothing yet: no event has named a dataset.</p>"
    return f"{_paused(contents)}<dl>{cells}</dl>{hint}{_behind(contents)}"


def _paused(contents: Contents) -> str:
    if contents.pause is None:
        return ""
    told = escape(str(contents.pause))
    return f"<p><strong>{told[:1].upper()}{told[1:]}.</strong> Nothing starts until they are resumed.</p>"


def _behind(contents: Contents) -> str:
    # What webhooks are told late is in the answers here all the same.
    lags = [follower for follower in contents.followers if follower.lag and follower.name != "webhooks"]
    if not lags:
        return "<p>It knows everything that it was told.</p>"
    told = "; ".join(
        f"the {follower.name} is {follower.lag:,} positions behind, the oldest fact waits for"
        f" {follower.oldest_seconds:,.0f} s"
        for follower in lags
    )
    return f"<p>Some of what it was told is not in here yet: {escape(told)}.</p>"


def _links() -> str:
    return "\n".join(
        f'<li><a href="{path}">{name}</a> <span class="quiet">{text}</span></li>'
        for path, name, text in _LINKS
    )


def start_page_router(probe: Probe[Contents]) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/", response_class=HTMLResponse)
    async def get_start_page(request: Request) -> Response:
        require(request, Permission.READ)
        try:
            contents = await probe()
        except DatabaseUnavailable:
            contents = None
        page = _PAGE.substitute(
            style=_STYLE,
            version=escape(VERSION),
            contents=_contents(contents),
            links=_links(),
            url=escape(str(request.base_url).rstrip("/")),
        )
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    return router
