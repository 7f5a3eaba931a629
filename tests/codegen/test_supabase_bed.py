"""Vite's React starter with edge functions: deno's own checks and tests, a build, and real life."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.codegen import beds, node
from tests.codegen.beds import a_customers_life, a_streams_life, integrate, living, replace, tree
from tests.processes.harness import serving

RUNTIME = Path(__file__).with_name("edge_runtime.ts")
FUNCTIONS = "/functions/v1"
CLIENT = """\
import { createClient } from "@supabase/supabase-js";

export const supabase = createClient(
  import.meta.env.VITE_SUPABASE_URL,
  import.meta.env.VITE_SUPABASE_PUBLISHABLE_KEY,
);
"""
CONFIG = """\
project_id = "studio"

[functions.images]
verify_jwt = true
"""
IMAGES = """\
Deno.serve(async () => Response.json({ image: "a drawing" }));
"""
SOLD = """\
import { billable, withBilling } from "../_shared/billing/index.ts";

Deno.serve(withBilling(async (request) => {
  const image = await billable(request, "image_generated", async () => "a drawing");
  return Response.json({ image });
}));
"""
ANSWERS = """\
import { billedStream, type Charge, hold, withBilling } from "../_shared/billing/index.ts";

Deno.serve(withBilling(async (request) => {
  const charge = await hold(request, "image_generated");
  return billedStream(charge, words(charge, request.url.includes("endless")));
}));

async function* words(charge: Charge, endless: boolean) {
  const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
  do yield "word ";
  while (endless);
  call.usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
}
"""


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """As a builder leaves it: a page, Supabase's client, and a function that draws."""
    folder = tmp_path / "studio"
    node.create(tmp_path, "create-vite@9", "studio", "--template", "react-ts", "--no-interactive")
    node.install(folder, "@supabase/supabase-js@2")
    for path, text in (
        ("src/integrations/supabase/client.ts", CLIENT),
        ("supabase/config.toml", CONFIG),
        ("supabase/functions/images/index.ts", IMAGES),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.slow
def test_an_app_with_edge_functions_sells_what_it_does(
    studio: Path, sqlite_url: str, tmp_path: Path
) -> None:
    before = tree(studio)
    node.applied(studio)
    functions = studio / "supabase" / "functions"
    (functions / "images" / "index.ts").write_text(SOLD)
    (functions / "answers").mkdir()
    (functions / "answers" / "index.ts").write_text(ANSWERS)
    main = studio / "src" / "main.tsx"
    replace(
        main,
        "import App from './App.tsx'",
        "import { BillingBalance } from './components/BillingBalance'",
    )
    replace(main, "<App />", "<BillingBalance />")
    node.check(studio)
    node.hides_the_secret(studio / "dist", shown="Top up")
    serve = ("deno", "run", "--allow-all", "--no-lock", str(RUNTIME), str(studio / "supabase"))
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(
            server,
            studio,
            lambda port: (*serve, str(port)),
            routes=f"{FUNCTIONS}/billing",
            webhook=f"{FUNCTIONS}/billing-webhook",
        ) as app,
        httpx.Client(base_url=app.url) as browser,
    ):
        beds.a_product(server)
        paid = f"{FUNCTIONS}/images"
        nobody = {"Authorization": "Bearer public-key"}
        assert browser.post(paid, headers=nobody).json()["code"] == "sign_in_first"
        preflight = browser.options(paid)
        assert "idempotency-key" in preflight.headers["access-control-allow-headers"]
        session = browser.post("/auth/v1/signup", json={"email": "ann"}).json()
        browser.headers["Authorization"] = f"Bearer {session['access_token']}"
        a_customers_life(browser, lambda **more: browser.post(paid, **more), server, app)
        a_streams_life(browser, f"{FUNCTIONS}/answers", server, app)
    beds.verify(
        studio,
        (*serve, "{port}"),
        *("--before", 'POST /auth/v1/signup {"email": "{user}"}'),
        *("--header", "authorization: Bearer {access_token}"),
        *("--route", f"POST {FUNCTIONS}/images"),
    )
    main.write_bytes(before["src/main.tsx"])
    (functions / "images" / "index.ts").write_text(IMAGES)
    (functions / "answers" / "index.ts").unlink()
    integrate(studio, "remove")
    assert tree(studio) == before
