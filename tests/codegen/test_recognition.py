"""Apps that could be mistaken for one another, and where the code goes in each of them."""

from __future__ import annotations

import tomllib

import pytest

from tests.codegen.apps import EXPRESS, HONO, NEXTJS, SUPABASE, TANSTACK, integrated, planned

Files = dict[str, str | None]
DATA_AT_SUPABASE: Files = {
    "supabase/config.toml": 'project_id = "studio"\n',
    "supabase/functions/images/index.ts": 'Deno.serve(() => new Response("a drawing"));\n',
}


@pytest.mark.parametrize(
    ("stack", "files"),
    [("nextjs", NEXTJS), ("tanstack", TANSTACK), ("hono", HONO), ("express", EXPRESS)],
)
def test_an_app_that_has_its_data_at_supabase_is_what_serves_its_pages(
    stack: str, files: Files
) -> None:
    assert planned(files | DATA_AT_SUPABASE).stack == stack


@pytest.mark.parametrize(
    "config",
    [
        'project_id = "studio"\n',
        'project_id = "studio"\n\n[api]\nport = 54321\n',
        'project_id = "studio"\n[functions.chat]\nverify_jwt = false\n',
        'project_id = "studio"',
    ],
)
def test_only_the_webhook_of_billing_is_called_without_a_token(config: str) -> None:
    text = integrated(SUPABASE | {"supabase/config.toml": config})["supabase/config.toml"] or ""
    settings, before = tomllib.loads(text), tomllib.loads(config)
    assert settings["functions"].pop("billing-webhook") == {"verify_jwt": False}
    assert settings == {"functions": {}, **before}


def test_without_settings_of_functions_a_person_is_told_what_the_webhook_needs() -> None:
    bolt = {path: text for path, text in SUPABASE.items() if path != "supabase/config.toml"}
    said = [one.content for one in planned(bolt).operations if one.kind == "manual"]
    assert any("without the check of tokens" in one for one in said)


def test_express_is_mounted_before_an_error_handler_that_is_set_up_later() -> None:
    replit: Files = {
        "package.json": '{"type": "module", "dependencies": {"express": "^5"}}\n',
        "server/index.ts": 'import express from "express";\n'
        'import { registerRoutes } from "./routes";\n\n'
        "const app = express();\napp.use(express.json());\n\n(async () => {\n"
        "  const server = await registerRoutes(app);\n\n"
        "  app.use((err: Error, _req: Request, res: Response, _next: NextFunction) => {\n"
        "    res.sendStatus(500);\n  });\n})();\n",
        "server/routes.ts": "const userId = req.user.claims.sub;\n",
    }
    made = planned(replit)
    assert made.auth == "claims"
    lines = (integrated(replit)["server/index.ts"] or "").splitlines()
    order = (
        "app.use(billingWebhook());",
        "app.use(express.json());",
        "  const server = await registerRoutes(app);",
        "  app.use(billingRoutes());",
        "  app.use(billingErrors);",
        "  app.use((err: Error, _req: Request, res: Response, _next: NextFunction) => {",
    )
    assert [line for line in lines if line in order] == list(order)
