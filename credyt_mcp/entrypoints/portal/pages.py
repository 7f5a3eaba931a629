"""Renders pages, customers' and `/docs`: server-side, no JavaScript, strict content security. No
decisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from credyt_mcp.errors import CredytError

_PACKAGE = Path(__file__).parents[2]


def templates_folder() -> Path:
    """`templates/` inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "templates"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates"


_environment = Environment(
    loader=FileSystemLoader([templates_folder() / "portal", templates_folder() / "docs"]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    template: str, status: int = 200, *, leads_to: Sequence[str] = (), **values: Any
) -> Response:
    """A page; `leads_to` are URLs to whose hosts its form may send the browser on."""
    html = _environment.get_template(template).render(**values)
    return HTMLResponse(html, status, _headers(leads_to))


def stylesheet(folder: str = "portal") -> Response:
    text = (templates_folder() / folder / "style.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


async def on_page_error(_: Request, error: Exception) -> Response:
    """An error as a page: what is wrong and what to do, nothing else."""
    assert isinstance(error, CredytError)
    return page("error.html", error.status, title=error.title, detail=error.detail, hint=error.hint)


def origin(url: str) -> str:
    """Scheme and host of a URL, or nothing."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _headers(leads_to: Sequence[str]) -> dict[str, str]:
    onward = "".join(f" {origin(url)}" for url in leads_to if origin(url))
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action 'self'{onward}"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
