"""TanStack Start's starter with the code in it: built, typed, its tests run, and in real life."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.codegen import beds, node
from tests.codegen.beds import (
    a_customers_life,
    a_streams_life,
    integrate,
    living,
    replace,
    tree,
)
from tests.processes.harness import serving

STARTER = (
    *("@tanstack/cli@0.71", "create", "studio", "--yes", "--blank", "--package-manager", "npm"),
    *("--no-install", "--no-git", "--no-toolchain", "--no-intent"),
)
IMAGES = """\
import { createServerFn } from "@tanstack/react-start";
import { billable } from "@/lib/billing";

export const draw = createServerFn({ method: "POST" }).handler(async () => {
  return { image: await billable("image_generated", async () => "a drawing") };
});
"""
PAGE = """\
import { createFileRoute } from "@tanstack/react-router";
import { BillingBalance } from "@/components/BillingBalance";
import { draw } from "@/images.functions";

export const Route = createFileRoute("/")({ component: Home });

function Home() {
  return (
    <form action={draw.url} method="post">
      <button type="submit">Draw</button>
      <BillingBalance />
    </form>
  );
}
"""
ANSWERS = """\
import { createFileRoute } from "@tanstack/react-router";
import { billedStream, type Charge, hold } from "@/lib/billing";

export const Route = createFileRoute("/api/answers")({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const charge = await hold("image_generated");
        return billedStream(charge, words(charge, request.url.includes("endless")));
      },
    },
  },
});

async function* words(charge: Charge, endless: boolean) {
  const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
  do yield "word ";
  while (endless);
  call.usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
}
"""


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    folder = tmp_path / "studio"
    node.create(tmp_path, *STARTER)
    node.install(folder)
    return folder


@pytest.mark.slow
def test_an_app_of_tanstack_start_sells_what_it_does(
    studio: Path, sqlite_url: str, tmp_path: Path
) -> None:
    before = tree(studio)
    integrated = node.applied(studio)
    user = studio / "src/lib/billing/user.ts"
    replace(user, "return undefined;", "return _session;")
    for path, text in (
        ("src/images.functions.ts", IMAGES),
        ("src/routes/index.tsx", PAGE),
        ("src/routes/api/answers.ts", ANSWERS),
    ):
        (studio / path).write_text(text)
    node.check(studio)
    node.hides_the_secret(studio / "dist" / "client", shown="Top up")
    preview = ("npx", "vite", "preview", "--host", "127.0.0.1", "--port")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, studio, lambda port: (*preview, str(port))) as app,
        httpx.Client(base_url=app.url, cookies={"session": "ann"}) as browser,
    ):
        beds.a_product(server)
        found = re.search(r'action="(/_serverFn/\w+)"', browser.get("/").text)
        assert found is not None
        draw = found[1]

        def drawn(headers: dict[str, str] | None = None) -> httpx.Response:
            """As the page's form without JavaScript; its browser says where it comes from."""
            from_page = {"Sec-Fetch-Site": "same-origin", **(headers or {})}
            return browser.post(draw, data={"a": "form"}, headers=from_page)

        nobody = httpx.get(f"{app.url}{beds.ROUTES}/balance")
        assert (nobody.status_code, nobody.json()["code"]) == (401, "sign_in_first")
        a_customers_life(browser, drawn, server, app)
        a_streams_life(browser, "/api/answers", server, app)
    beds.verify(studio, (*preview, "{port}"), "--header", "cookie: session={user}")
    (studio / "src/routes/index.tsx").write_bytes(before["src/routes/index.tsx"])
    user.write_bytes(integrated["src/lib/billing/user.ts"])
    (studio / "src/images.functions.ts").unlink()
    (studio / "src/routes/api/answers.ts").unlink()
    integrate(studio, "remove")
    assert tree(studio) == before
