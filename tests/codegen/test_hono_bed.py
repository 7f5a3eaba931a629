"""A Hono app on Node with the code in it: strict types, the emitted tests, and real life."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.codegen import beds, node
from tests.codegen.beds import a_customers_life, a_streams_life, integrate, living, replace, tree
from tests.processes.harness import serving

STUDIO = """\
import { serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono<{ Variables: { user: { id: string } } }>();

app.use(async (c, next) => {
  const name = c.req.header("x-user");
  if (name) c.set("user", { id: name });
  await next();
});

app.post("/images", (c) => c.json({ image: "a drawing" }));

serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: "127.0.0.1" });
"""
SOLD = """\
app.post("/images", async (c) => {
  const image = await billable(c, "image_generated", async () => "a drawing");
  return c.json({ image });
});

app.post("/answers", async (c) => {
  const charge = await hold(c, "image_generated");
  return billedStream(charge, words(charge, c.req.query("endless") !== undefined));
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
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text(node.PACKAGE)
    (folder / "tsconfig.json").write_text(node.STRICT)
    (folder / "src" / "index.ts").write_text(STUDIO)
    node.install(folder, "hono", "@hono/node-server")
    node.install(folder, "-D", "typescript", "tsx", "vitest", "@types/node")
    return folder


@pytest.mark.slow
def test_a_hono_app_sells_what_it_does(studio: Path, sqlite_url: str, tmp_path: Path) -> None:
    before = tree(studio)
    integrated = node.applied(studio)
    main = studio / "src" / "index.ts"
    replace(main, 'app.post("/images", (c) => c.json({ image: "a drawing" }));\n', SOLD)
    names = "billable, billedStream, billingRoutes, type Charge, hold"
    replace(main, "{ billingRoutes }", f"{{ {names} }}")
    node.check(studio)
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, studio, lambda _: ("node_modules/.bin/tsx", "src/index.ts")) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        assert httpx.post(f"{app.url}/images").status_code == 401
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        a_streams_life(browser, "/answers", server, app)
    beds.verify(studio, ("node_modules/.bin/tsx", "src/index.ts"), "--header", "x-user: {user}")
    main.write_bytes(integrated["src/index.ts"])
    integrate(studio, "remove")
    assert tree(studio) == before
