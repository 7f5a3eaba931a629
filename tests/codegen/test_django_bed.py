"""A new Django project with the code in it: its own runner, sync and async views, and real life."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from tests.codegen import beds
from tests.codegen.beds import a_customers_life, integrate, living, replace, run, tree
from tests.processes.harness import serving

SIGN_IN = """\
from types import SimpleNamespace


class ByHeader:
    sync_capable, async_capable = True, False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if name := request.headers.get("x-user"):
            request.user = SimpleNamespace(is_authenticated=True, pk=name)
            request._dont_enforce_csrf_checks = True  # no browser sends this by itself
        return self.get_response(request)
"""
VIEWS = """\
from django.http import JsonResponse


def create(request):
    return JsonResponse({"image": "a drawing"})
"""
SOLD = """\
import asyncio

from django.http import JsonResponse

from billing import BilledStream, abillable, ahold, billable


def create(request):
    with billable(request, "image_generated"):
        return JsonResponse({"image": "a drawing"})


async def later(request):
    async with abillable(request, "image_generated"):
        await asyncio.sleep(0)
        return JsonResponse({"image": "a drawing"})


async def lines(request):
    charge = await ahold(request, "image_generated")

    async def chunks():
        for _ in range(50):
            charge.use()
            yield "a line of a drawing\\n"
            await asyncio.sleep(0.02)

    return BilledStream(charge, chunks())
"""
URLS = """\
from django.urls import path

from images import views

urlpatterns = [
    path("", views.create),
    path("images", views.create),
]
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with Django and a server for it."""
    folder = tmp_path_factory.mktemp("django")
    run(folder, sys.executable, "-m", "venv", "venv")
    python = folder / "venv" / "bin" / "python"
    run(folder, str(python), "-m", "pip", "install", "-q", "django", "uvicorn", "mypy")
    return python


@pytest.fixture
def studio(tmp_path: Path, python: Path) -> Path:
    folder = tmp_path / "studio"
    folder.mkdir()
    run(folder, str(python), "-m", "django", "startproject", "studio", ".")
    run(folder, str(python), "manage.py", "startapp", "images")
    (folder / "images" / "middleware.py").write_text(SIGN_IN)
    (folder / "images" / "views.py").write_text(VIEWS)
    (folder / "studio" / "urls.py").write_text(URLS)
    known = "    'django.contrib.auth.middleware.AuthenticationMiddleware',\n"
    settings = folder / "studio" / "settings.py"
    replace(settings, known, known + "    'images.middleware.ByHeader',\n")
    return folder


@pytest.mark.slow
def test_a_django_project_sells_what_it_does(
    studio: Path, python: Path, sqlite_url: str, tmp_path: Path
) -> None:
    before = tree(studio)
    beds.apply(studio)
    integrated = tree(studio)
    assert "Nothing to write" in beds.apply(studio)
    assert tree(studio) == integrated
    run(studio, str(python), "manage.py", "check")
    assert "Ran 9 tests" in run(studio, "sh", "-c", f"{python} manage.py test 2>&1")
    run(studio, str(python), "-m", "mypy", "--ignore-missing-imports", "-p", "billing")
    views, urls = studio / "images" / "views.py", studio / "studio" / "urls.py"
    views.write_text(SOLD)
    more = 'path("later", views.later),\n    path("lines", views.lines),\n]\n'
    replace(
        urls, 'path("images", views.create),\n]\n', f'path("images", views.create),\n    {more}'
    )
    serve = (str(python), "-m", "uvicorn", "studio.asgi:application", "--lifespan", "off", "--port")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, studio, lambda port: (*serve, str(port))) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        assert browser.post("/later").status_code == 200
        assert beds.balance(browser, app) == "9.85"
        # Nobody signed in, and none of Django's own guards in the way.
        assert httpx.get(f"{app.url}/images").status_code == 401
    options = ("--header", "x-user: {user}", "--route")
    for route in ("POST /images", "POST /lines"):
        beds.verify(studio, (*serve, "{port}"), *options, route)
    views.write_bytes(before["images/views.py"])
    urls.write_bytes(integrated["studio/urls.py"])
    integrate(studio, "remove")
    assert tree(studio) == before
