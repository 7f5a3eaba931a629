"""The same faults in further stacks: in the parts that are alike, as they are planted for another
stack, and in the app's own code."""

from __future__ import annotations

from dataclasses import replace

from tests.codegen.faults import FAULTS, Fault

BILLING = {
    "hono": "src/billing",
    "supabase": "supabase/functions/_shared/billing",
    "tanstack": "src/lib/billing",
}
HANDLERS = ("charges.ts", "client.ts", "config.ts", "web.ts", "webhooks.ts")
PYTHON = ("charges.py", "webhooks.py")
HONO, EDGE = "src/index.ts", "supabase/functions/images/index.ts"
DRAW, CHAT = "src/lib/draw.functions.ts", "src/routes/api/chat.ts"


def planted_in(stack: str, folder: str, alike: tuple[str, ...]) -> list[Fault]:
    """Once for each part, though several stacks have it."""
    found = {
        (name, fault.old): replace(fault, stack=stack, path=f"{folder}/{name}")
        for fault in FAULTS
        for name in alike
        if fault.path.endswith(f"/billing/{name}")
    }
    return list(found.values())


COPIED = [fault for stack in BILLING for fault in planted_in(stack, BILLING[stack], HANDLERS)]
COPIED += planted_in("django", "billing", PYTHON)
OWN = [
    Fault(
        "hold-never-settled",
        "nextjs",
        "app/api/chat/route.ts",
        "billedStream(charge, result.textStream)",
        "result.toTextStreamResponse()",
    ),
    Fault(
        "check-then-act",
        "django",
        "images/views.py",
        "    async with abillable(request, 'image_generated'):\n",
        "    if Decimal(client.balance(request.user.pk)['available']) <= 0:\n"
        "        return HttpResponse(status=402)\n    async with later():\n",
    ),
    Fault(
        "swallowed-402",
        "django",
        "images/views.py",
        "    charge = await ahold(request, 'image_generated', estimate={'tokens': 1000})\n",
        "    try:\n        charge = await ahold(request, 'image_generated')\n"
        "    except Exception:\n        charge = None\n",
    ),
    Fault(
        "unbilled-call",
        "django",
        "images/views.py",
        "async def chat(request):\n",
        "async def title(request):\n    return await openai.responses.create(input='it')\n\n\n"
        "async def chat(request):\n",
    ),
    Fault("hold-never-settled", "hono", HONO, "billedStream(charge, chunks())", "c.body(chunks())"),
    Fault(
        "hold-never-settled",
        "supabase",
        EDGE,
        "billedStream(charge, answer.body!)",
        "new Response(answer.body)",
    ),
    Fault(
        "hold-never-settled",
        "tanstack",
        CHAT,
        "billedStream(charge, result.textStream)",
        "result.toTextStreamResponse()",
    ),
    Fault(
        "check-then-act",
        "hono",
        HONO,
        '  const image = await billable(c, "image_generated", async (charge) => {\n',
        "  const { available } = await balance(c.var.user.id);\n"
        "  if (Number(available) <= 0) return c.body(null, 402);\n"
        "  const image = await later(async (charge) => {\n",
    ),
    Fault(
        "check-then-act",
        "supabase",
        EDGE,
        '  const image = await billable(request, "image_generated", async (charge) => {\n',
        "  const { available } = await balance(await signedIn(request));\n"
        "  if (Number(available) <= 0) return new Response(null, { status: 402 });\n"
        "  const image = await later(async (charge) => {\n",
    ),
    Fault(
        "check-then-act",
        "tanstack",
        DRAW,
        '  return billable("image_generated", async (charge) => {\n',
        "  const { available } = await balance(await signedIn());\n"
        "  if (Number(available) <= 0) throw new Response(null, { status: 402 });\n"
        "  return later(async (charge) => {\n",
    ),
    *(
        Fault("swallowed-402", stack, path, f"    return {said};\n  }});\n", swallowed)
        for stack, path, said in (
            ("hono", HONO, "made.data[0].url"),
            ("supabase", EDGE, "made.data[0].url"),
            ("tanstack", DRAW, "text"),
        )
        for swallowed in [f"    return {said};\n  }}).catch(() => undefined);\n"]
    ),
    Fault(
        "webhook-unverified",
        "hono",
        "src/billing/routes.ts",
        '.post("/webhook", (c) => webhookAnswer(c.req.raw))',
        '.post("/webhook", async (c) => {\n    await paid(await c.req.json());\n'
        "    return c.body(null, 204);\n  })",
    ),
    Fault(
        "webhook-unverified",
        "supabase",
        "supabase/functions/billing-webhook/index.ts",
        "Deno.serve(withBilling(webhookAnswer));",
        "Deno.serve(async (request) => {\n  await paid(await request.json());\n"
        "  return new Response();\n});",
    ),
    Fault(
        "webhook-unverified",
        "tanstack",
        "src/routes/api/billing/webhook.ts",
        "refusing(() => webhookAnswer(request))",
        "paid(request.json()).then(() => new Response())",
    ),
    Fault(
        "unbilled-call",
        "hono",
        HONO,
        "  return c.json({ image });\n});\n",
        "  return c.json({ image });\n});\n\n"
        'app.post("/title", async (c) => c.json(await openai.responses.create({ input })));\n',
    ),
    Fault(
        "secret-in-client",
        "supabase",
        "src/components/BillingBalance.tsx",
        'import { useEffect, useState } from "react";\n',
        'import { useEffect, useState } from "react";\n'
        "const key = import.meta.env.VITE_CREDYT_API_KEY;\n",
    ),
    Fault(
        "secret-in-client",
        "tanstack",
        "src/components/BillingBalance.tsx",
        'import { useEffect, useState } from "react";\n',
        'import { useEffect, useState } from "react";\n'
        'import { setting } from "@/lib/billing/client";\n',
    ),
]
SAME_FAULTS = [*COPIED, *OWN]
