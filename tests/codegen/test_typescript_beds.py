"""An Express app with the code in it: strict types, the emitted tests, and real life."""

from __future__ import annotations

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
    run,
    tree,
)
from tests.processes.harness import serving

STUDIO = """\
import express from "express";
import type { NextFunction, Request, Response } from "express";

const app = express();
app.use(express.json());

app.use((req: Request, _res: Response, next: NextFunction) => {
  const name = req.get("x-user");
  if (name) Object.assign(req, { user: { id: name } });
  next();
});

app.post("/images", async (_req, res) => {
  res.json({ image: "a drawing" });
});

app.listen(Number(process.env.PORT), "127.0.0.1");
"""
ANSWERS = """\
app.post("/answers", async (req, res) => {
  const charge = await hold(req, "image_generated");
  await sendBilled(res, charge, words(charge, "endless" in req.query));
});

async function* words(charge: Charge, endless: boolean) {
  const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
  do yield "word ";
  while (endless);
  call.usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
}

"""


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Express, TypeScript, tsx and vitest, installed once."""
    folder = tmp_path_factory.mktemp("express")
    (folder / "package.json").write_text(node.PACKAGE)
    node.install(folder, "express@5")
    node.install(folder, "-D", "typescript", "tsx", "vitest", "@types/express@5", "@types/node")
    return folder


@pytest.fixture
def studio(tmp_path: Path, node_modules: Path) -> Path:
    folder = tmp_path / "studio"
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text((node_modules / "package.json").read_text())
    (folder / "tsconfig.json").write_text(node.STRICT)
    (folder / "src" / "app.ts").write_text(STUDIO)
    (folder / "node_modules").symlink_to(node_modules / "node_modules")
    return folder


@pytest.mark.slow
def test_an_express_app_sells_what_it_does(studio: Path, sqlite_url: str, tmp_path: Path) -> None:
    before = tree(studio)
    integrated = node.applied(studio)
    node.check(studio)
    main = studio / "src" / "app.ts"
    config = studio / "src" / "billing" / "config.ts"
    replace(
        main,
        'app.post("/images", async (_req, res) => {\n  res.json({ image: "a drawing" });\n',
        'app.post("/images", async (req, res) => {\n'
        '  const image = await billable(req, "image_generated", async () => "a drawing");\n'
        "  res.json({ image });\n",
    )
    replace(
        main,
        "import { billingErrors,",
        "import { billable, Charge, hold, sendBilled, billingErrors,",
    )
    replace(main, "app.use(billingRoutes());\n", f"{ANSWERS}app.use(billingRoutes());\n")
    run(studio, "npx", "tsc")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, studio, lambda _: ("node_modules/.bin/tsx", "src/app.ts")) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        a_streams_life(browser, "/answers", server, app)
        assert httpx.post(f"{app.url}/images").status_code == 401
    assert "was written once" in config.read_text()
    main.write_bytes(integrated["src/app.ts"])
    integrate(studio, "remove")
    assert tree(studio) == before
