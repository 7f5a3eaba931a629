"""Express apps with the code in them: strict types, the emitted tests, and real life."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.codegen import beds, node
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
REPLIT = {
    "tsconfig.json": """\
{
  "include": ["client/src", "server", "tests"],
  "compilerOptions": {
    "noEmit": true,
    "module": "ESNext",
    "moduleResolution": "bundler",
    "strict": true,
    "lib": ["esnext", "dom", "dom.iterable"],
    "jsx": "preserve",
    "esModuleInterop": true,
    "skipLibCheck": true,
    "allowImportingTsExtensions": true,
    "types": ["node"]
  }
}
""",
    "client/src/main.tsx": "export {};\n",
    "server/index.ts": """\
import express, { type Request, Response, NextFunction } from "express";
import { registerRoutes } from "./routes";

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));

(async () => {
  const server = await registerRoutes(app);

  app.use((err: any, _req: Request, res: Response, _next: NextFunction) => {
    res.status(err.status || err.statusCode || 500).json({ message: err.message });
  });

  server.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
})();
""",
    "server/replitAuth.ts": """\
import type { Express } from "express";

export async function setupAuth(app: Express) {
  app.use((req, _res, next) => {
    const sub = req.get("x-user");
    const user = req as any;
    if (sub) user.user = { claims: { sub } };
    next();
  });
}
""",
    "server/routes.ts": """\
import type { Express } from "express";
import { createServer, type Server } from "http";
import { setupAuth } from "./replitAuth";

export async function registerRoutes(app: Express): Promise<Server> {
  await setupAuth(app);

  app.get("/api/auth/user", async (req: any, res) => {
    res.json({ id: req.user.claims.sub });
  });

  app.post("/api/images", async (_req, res) => {
    res.json({ image: "a drawing" });
  });

  return createServer(app);
}
""",
}
TAKE = 'import { billable } from "./billing";\n'
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
    node.install(folder, "express@5", "react")
    node.install(folder, "-D", "typescript", "tsx", "vitest")
    node.install(folder, "-D", "@types/express@5", "@types/node", "@types/react")
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
    start = ("node_modules/.bin/tsx", "src/app.ts")
    with (
        serving(sqlite_url, tmp_path) as [server],
        relayed(server) as relay,
        living(server, studio, lambda _: start, CREDYT_URL=relay.url) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/images", **more), server, app)
        a_streams_life(browser, "/answers", server, app)
        an_outage(browser, "/answers", server, app, relay)
        assert httpx.post(f"{app.url}/images").status_code == 401
    beds.verify(studio, start, "--header", "x-user: {user}")
    assert "was written once" in config.read_text()
    main.write_bytes(integrated["src/app.ts"])
    integrate(studio, "remove")
    assert tree(studio) == before


@pytest.fixture
def replit(tmp_path: Path, node_modules: Path) -> Path:
    """The layout of Replit's older apps: server, client, and a sign-in of its own."""
    folder = tmp_path / "replit"
    for path, text in REPLIT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "package.json").write_text((node_modules / "package.json").read_text())
    (folder / "node_modules").symlink_to(node_modules / "node_modules")
    return folder


@pytest.mark.slow
def test_an_older_app_of_replit_sells_what_it_does(
    replit: Path, sqlite_url: str, tmp_path: Path
) -> None:
    before = tree(replit)
    node.applied(replit)
    routes = replit / "server" / "routes.ts"
    replace(
        routes,
        'async (_req, res) => {\n    res.json({ image: "a drawing" });\n',
        "async (req, res) => {\n"
        '    const image = await billable(req, "image_generated", async () => "a drawing");\n'
        "    res.json({ image });\n",
    )
    replace(routes, 'from "./replitAuth";\n', 'from "./replitAuth";\n' + TAKE)
    node.check(replit)
    assert (replit / "client/src/components/BillingBalance.tsx").exists()
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, replit, lambda _: ("node_modules/.bin/tsx", "server/index.ts")) as app,
        httpx.Client(base_url=app.url, headers={"x-user": "ann"}) as browser,
    ):
        beds.a_product(server)
        a_customers_life(browser, lambda **more: browser.post("/api/images", **more), server, app)
    routes.write_bytes(before["server/routes.ts"])
    integrate(replit, "remove")
    assert tree(replit) == before
