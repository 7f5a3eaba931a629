"""FastAPI and Flask apps with the code in them: their own tests, the emitted ones, real life."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import httpx
import pytest

from tests.codegen import beds
from tests.codegen.beds import (
    a_customers_life,
    a_streams_life,
    an_outage,
    integrate,
    living,
    relayed,
    replace,
    run,
    tree,
)
from tests.processes.harness import Server, serving

STUDIO = """\
from types import SimpleNamespace

from fastapi import FastAPI, Request, Response

app = FastAPI()


@app.middleware("http")
async def sign_in(request: Request, call_next) -> Response:
    name = request.headers.get("x-user")
    request.state.user = SimpleNamespace(id=name) if name else None
    return await call_next(request)


@app.post("/images")
async def create_image() -> dict[str, str]:
    return {"image": "a drawing"}
"""

ANSWERS = """\


@app.post("/answers")
async def answers(user_id: UserId, endless: str = "") -> BilledStream:
    charge = await hold(user_id, "image_generated")

    async def words():
        call = charge.llm("openai", "gpt-5")
        yield "word "
        while endless:
            yield "word "
        call["usage"] = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}

    return BilledStream(charge, words())
"""


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A FastAPI app with a sign-in of its own and one thing worth paying for."""
    folder = tmp_path / "studio"
    (folder / "app").mkdir(parents=True)
    (folder / "requirements.txt").write_text("fastapi\n")
    (folder / "app" / "main.py").write_text(STUDIO)
    return folder


@pytest.fixture(scope="session")
def flask_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with Flask and pytest, and nothing else."""
    folder = tmp_path_factory.mktemp("flask")
    run(folder, sys.executable, "-m", "venv", "venv")
    python = folder / "venv" / "bin" / "python"
    run(folder, str(python), "-m", "pip", "install", "-q", "flask", "pytest")
    return python


@pytest.fixture
def flaskr(tmp_path: Path, flask_python: Path) -> Path:
    """The app of Flask's tutorial, from the source distribution of Flask."""
    options = ("--no-deps", "--no-binary", ":all:", "-q", "-d", str(tmp_path))
    run(tmp_path, str(flask_python), "-m", "pip", "download", *options, "flask")
    [archive] = tmp_path.glob("flask-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    return tmp_path / archive.name.removesuffix(".tar.gz") / "examples" / "tutorial"


def costs_of_calls_are_known(server: Server) -> None:
    """3 dollars a million in, 15 out: of 1,000 and 100 tokens, 0.0045."""
    with server.sync_client() as client:
        for listed in client.get("/events").json()["items"]:
            shown = client.get(f"/events/{listed['id']}").json()
            assert sum(cost["amount"] for cost in shown["costs"]) == pytest.approx(0.0045)


@pytest.mark.slow
def test_a_fastapi_app_sells_what_it_does(studio: Path, sqlite_url: str, tmp_path: Path) -> None:
    before = tree(studio)
    beds.apply(studio)
    integrated = tree(studio)
    assert "Nothing to write" in beds.apply(studio)
    assert tree(studio) == integrated
    run(studio, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    checked = run(studio, sys.executable, "-m", "mypy", "--strict", "-p", "app.billing")
    assert "no issues" in checked
    main = studio / "app" / "main.py"
    work = (
        "from app.billing import BilledStream, RequestId, UserId, billable, hold\n\n\n"
        '@app.post("/images")\n'
        "async def create_image(user_id: UserId, request_id: RequestId = None) -> dict[str, str]:\n"
        '    async with billable(user_id, "image_generated", request_id=request_id) as charge:\n'
        '        usage = {"input_tokens": 1000, "output_tokens": 100}\n'
        '        charge.llm("anthropic", "claude-sonnet-4-6", usage)\n'
        '        return {"image": "a drawing"}\n' + ANSWERS
    )
    replace(main, STUDIO[STUDIO.index("@app.post") :], work)
    serve = (sys.executable, "-m", "uvicorn", "app.main:app", "--port")
    with (
        serving(sqlite_url, tmp_path) as [server],
        relayed(server) as relay,
        living(server, studio, lambda port: (*serve, str(port)), CREDYT_URL=relay.url) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        assert httpx.post(f"{app.url}/images").status_code == 401
        costs_of_calls_are_known(server)
        a_streams_life(browser, "/answers", server, app)
        an_outage(browser, "/answers", server, app, relay)
    beds.verify(studio, (*serve, "{port}"), "--header", "x-user: {user}")
    main.write_bytes(integrated["app/main.py"])
    integrate(studio, "remove")
    assert tree(studio) == before


@pytest.mark.slow
def test_the_flask_tutorials_blog_sells_its_posts(
    flaskr: Path, flask_python: Path, sqlite_url: str, tmp_path: Path
) -> None:
    before = tree(flaskr)
    beds.apply(flaskr)
    integrated = tree(flaskr)
    assert "Nothing to write" in beds.apply(flaskr)
    said = run(flaskr, str(flask_python), "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "33 passed" in said
    blog = flaskr / "flaskr" / "blog.py"
    replace(
        blog, "from .db import get_db\n", "from .billing import billable\nfrom .db import get_db\n"
    )
    replace(
        blog,
        "            db = get_db()\n            db.execute(\n"
        '                "INSERT INTO post (title, body, author_id) VALUES (?, ?, ?)",\n'
        '                (title, body, g.user["id"]),\n            )\n            db.commit()\n',
        '            with billable("image_generated"):\n'
        "                db = get_db()\n                db.execute(\n"
        '                    "INSERT INTO post (title, body, author_id) VALUES (?, ?, ?)",\n'
        '                    (title, body, g.user["id"]),\n                )\n'
        "                db.commit()\n",
    )
    flask = (str(flask_python), "-m", "flask", "--app", "flaskr")
    run(flaskr, *flask, "init-db")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, flaskr, lambda port: (*flask, "run", "--port", str(port))) as app,
        httpx.Client(base_url=app.url) as browser,
    ):
        beds.a_product(server)
        who = {"username": "ann", "password": "secret"}
        assert browser.post("/auth/register", data=who).status_code == 302
        assert browser.post("/auth/login", data=who).status_code == 302
        post = {"title": "A post", "body": "worth a nickel"}
        a_customers_life(
            browser, lambda **more: browser.post("/create", data=post, **more), server, app
        )
        assert browser.get("/").text.count("worth a nickel") == 2
    beds.verify(
        flaskr,
        (*flask, "run", "--port", "{port}"),
        *("--before", "POST /auth/register username={user}&password=secret"),
        *("--before", "POST /auth/login username={user}&password=secret"),
        *("--body", "title=A post&body=worth a nickel"),
    )
    blog.write_bytes(integrated["flaskr/blog.py"])
    integrate(flaskr, "remove")
    assert tree(flaskr) == before
