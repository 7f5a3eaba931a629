"""An Express app with the code in it: strict types, the emitted tests, and real life."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.codegen import beds
from tests.codegen.beds import SENTINEL, a_customers_life, integrate, living, replace, run, tree
from tests.processes.harness import serving

PACKAGE = '{"name": "studio", "private": true, "type": "module"}\n'
STRICT = """\
{
  "compilerOptions": {
    "target": "es2022",
    "module": "nodenext",
    "strict": true,
    "noEmit": true,
    "noUnusedLocals": true,
    "noUnusedParameters": true,
    "noUncheckedIndexedAccess": true,
    "exactOptionalPropertyTypes": true,
    "verbatimModuleSyntax": true,
    "erasableSyntaxOnly": true,
    "types": ["node"],
    "skipLibCheck": true
  },
  "include": ["src", "tests"]
}
"""
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


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Express, TypeScript, tsx and vitest, installed once."""
    folder = tmp_path_factory.mktemp("express")
    (folder / "package.json").write_text(PACKAGE)
    quiet = ("npm", "install", "--no-audit", "--no-fund", "--silent")
    run(folder, *quiet, "express@5")
    run(folder, *quiet, "-D", "typescript", "tsx", "vitest", "@types/express@5", "@types/node")
    return folder


@pytest.fixture
def studio(tmp_path: Path, node_modules: Path) -> Path:
    folder = tmp_path / "studio"
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text((node_modules / "package.json").read_text())
    (folder / "tsconfig.json").write_text(STRICT)
    (folder / "src" / "app.ts").write_text(STUDIO)
    (folder / "node_modules").symlink_to(node_modules / "node_modules")
    return folder


@pytest.mark.slow
def test_an_express_app_sells_what_it_does(studio: Path, sqlite_url: str, tmp_path: Path) -> None:
    before = tree(studio)
    beds.apply(studio)
    integrated = tree(studio)
    assert "Nothing to write" in beds.apply(studio)
    assert tree(studio) == integrated
    run(studio, "npx", "tsc")
    run(studio, "npx", "vitest", "run", CREDYT_API_KEY=SENTINEL)
    main = studio / "src" / "app.ts"
    config = studio / "src" / "billing" / "config.ts"
    replace(
        main,
        'app.post("/images", async (_req, res) => {\n  res.json({ image: "a drawing" });\n',
        'app.post("/images", async (req, res) => {\n'
        '  const image = await billable(req, "image_generated", async () => "a drawing");\n'
        "  res.json({ image });\n",
    )
    replace(main, "import { billingErrors,", "import { billable, billingErrors,")
    run(studio, "npx", "tsc")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, studio, lambda _: ("node_modules/.bin/tsx", "src/app.ts")) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        assert httpx.post(f"{app.url}/images").status_code == 401
    beds.verify(studio, ("node_modules/.bin/tsx", "src/app.ts"), "--header", "x-user: {user}")
    assert "was written once" in config.read_text()
    main.write_bytes(integrated["src/app.ts"])
    integrate(studio, "remove")
    assert tree(studio) == before
