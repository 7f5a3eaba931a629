"""The Next.js starter, cacheComponents and all, with the code in it: checks, build, real life."""

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
    tree,
)
from tests.codegen.wired import NEXT_ACTION
from tests.processes.harness import serving

STARTER = (
    *("create-next-app@16", "chat", "--yes", "--ts", "--app", "--empty", "--cache-components"),
    *("--no-eslint", "--no-tailwind", "--no-src-dir", "--import-alias", "@/*"),
    *("--use-npm", "--skip-install", "--disable-git"),
)
IMAGES = """\
import { billable, withBilling } from "@/lib/billing";

export const POST = withBilling(async (request) => {
  const image = await billable(request, "image_generated", async () => "a drawing");
  return Response.json({ image });
});
"""
ANSWERS = """\
import { billedStream, hold, withBilling, type Charge } from "@/lib/billing";

export const POST = withBilling(async (request) => {
  const charge = await hold(request, "image_generated");
  const endless = new URL(request.url).searchParams.has("endless");
  return billedStream(charge, words(charge, endless));
});

async function* words(charge: Charge, endless: boolean) {
  const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
  do yield "word ";
  while (endless);
  call.usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
}
"""
PAGE = """\
import { BillingBalance } from "@/components/billing-balance";

export default function Home() {
  return <BillingBalance />;
}
"""


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    folder = tmp_path / "chat"
    node.create(tmp_path, *STARTER)
    node.install(folder)
    return folder


@pytest.mark.slow
def test_a_nextjs_app_sells_what_it_does(chat: Path, sqlite_url: str, tmp_path: Path) -> None:
    before = tree(chat)
    integrated = node.applied(chat)
    replace(chat / "lib/billing/user.ts", "return undefined;", "return _session;")
    for path, text in (
        ("app/api/images/route.ts", IMAGES),
        ("app/api/answers/route.ts", ANSWERS),
        ("app/actions.ts", NEXT_ACTION),
        ("app/page.tsx", PAGE),
    ):
        (chat / path).parent.mkdir(parents=True, exist_ok=True)
        (chat / path).write_text(text)
    node.check(chat)
    node.hides_the_secret(chat / ".next" / "static", shown="Top up")
    with (
        serving(sqlite_url, tmp_path) as [server],
        living(server, chat, lambda port: ("npx", "next", "start", "-p", str(port))) as app,
        httpx.Client(base_url=app.url, cookies={"session": "ann"}) as browser,
    ):
        beds.a_product(server)
        paid = "/api/images"
        assert httpx.post(f"{app.url}{paid}").status_code == 401
        a_customers_life(browser, lambda **more: browser.post(paid, **more), server, app)
        a_streams_life(browser, "/api/answers", server, app)
    start = ("npx", "next", "start", "-p", "{port}")
    beds.verify(chat, start, "--header", "cookie: session={user}", "--route", "POST /api/images")
    (chat / "app/page.tsx").write_bytes(before["app/page.tsx"])
    (chat / "lib/billing/user.ts").write_bytes(integrated["lib/billing/user.ts"])
    for path in ("actions.ts", "api/images/route.ts", "api/answers/route.ts"):
        (chat / "app" / path).unlink()
    integrate(chat, "remove")
    assert tree(chat) == before
