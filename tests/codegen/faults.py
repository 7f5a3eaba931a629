"""Faults that cost money, planted in apps that are otherwise as they should be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old` stands once in the file; `new` in its place breaks the rule."""

    rule: str
    stack: str
    path: str
    old: str
    new: str


FAULTS: list[Fault] = [
    Fault(
        "capture-missing-on-abort",
        "django",
        "billing/paid.py",
        "        try:\n            super().close()\n        "
        "finally:\n            self.charge.settle()\n",
        "        super().close()\n",
    ),
    Fault(
        "webhook-raw-body",
        "django",
        "billing/routes.py",
        "receive(request.body,",
        "receive(json.dumps(json.loads(request.body)).encode(),",
    ),
    Fault(
        "amount-from-request",
        "django",
        "billing/routes.py",
        "    if amount not in config.TOP_UP_AMOUNTS:\n",
        "    if not amount:\n",
    ),
    Fault(
        "hold-never-settled",
        "django",
        "images/views.py",
        "BilledStream(charge, chunks())",
        "StreamingHttpResponse(chunks())",
    ),
    # A stream whose reader goes away.
    Fault(
        "capture-missing-on-abort",
        "fastapi",
        "app/main.py",
        "return BilledStream(charge, chunks())",
        "async def billed():\n        async for one in chunks():\n            yield one\n"
        "        charge.settle()\n    return StreamingResponse(billed())",
    ),
    Fault(
        "capture-missing-on-abort",
        "fastapi",
        "app/billing/paid.py",
        "        try:\n            await super().__call__(scope, receive, send)\n        finally:\n"
        "            await _settle(self.charge)\n",
        "        await super().__call__(scope, receive, send)\n"
        "        await _settle(self.charge)\n",
    ),
    Fault(
        "capture-missing-on-abort",
        "flask",
        "shop/billing/paid.py",
        "    response.call_on_close(charge.settle)\n",
        "",
    ),
    Fault(
        "capture-missing-on-abort",
        "express",
        "src/app.ts",
        "await sendBilled(res, charge, (async",
        "for await (const one of work()) res.write(one);\n  await charge.settle();\n"
        "  res.end(async",
    ),
    Fault(
        "capture-missing-on-abort",
        "express",
        "src/billing/paid.ts",
        "  } finally {\n    await charge.settle();\n  }\n",
        "  }\n  await charge.settle();\n",
    ),
    Fault(
        "capture-missing-on-abort",
        "nextjs",
        "lib/billing/web.ts",
        "        await charge.settle();\n        await source.return(undefined);\n",
        "        await source.return(undefined);\n",
    ),
    Fault(
        "capture-missing-on-abort",
        "nextjs",
        "app/api/chat/route.ts",
        "return billedStream(charge, result.textStream);",
        "for await (const one of result.textStream) send(one);\n  await charge.settle();\n"
        "  return new Response(body);",
    ),
    # Work that fails, and a hold that nobody ends.
    Fault(
        "release-missing-on-error",
        "flask",
        "shop/billing/paid.py",
        "    try:\n        yield charge\n        charge.use()\n    finally:\n"
        "        charge.settle()\n",
        "    yield charge\n    charge.use()\n    charge.settle()\n",
    ),
    Fault(
        "release-missing-on-error",
        "nextjs",
        "lib/billing/charges.ts",
        "  } finally {\n    await charge.settle();\n  }\n",
        "  } finally {\n  }\n  await charge.settle();\n",
    ),
    Fault(
        "release-missing-on-error",
        "fastapi",
        "app/billing/charges.py",
        "            elif self.held:\n                client.release(self.id)\n",
        "",
    ),
    Fault(
        "release-missing-on-error",
        "express",
        "src/billing/charges.ts",
        "      else if (this.held) await client.release(this.id);\n",
        "",
    ),
    Fault(
        "hold-never-settled",
        "fastapi",
        "app/main.py",
        "BilledStream(charge, chunks())",
        "X(chunks())",
    ),
    Fault("hold-never-settled", "express", "src/app.ts", "sendBilled(res, charge, ", "send(res, "),
    # A look at the balance instead of a hold.
    Fault(
        "check-then-act",
        "fastapi",
        "app/main.py",
        "    async with billable(user_id, 'image_generated', request_id=request_id) as charge:\n",
        "    wallet = client.balance(user_id)\n    if Decimal(wallet['available']) < 1:\n"
        "        raise HTTPException(402)\n    if True:  # 'image_generated'\n",
    ),
    Fault(
        "check-then-act",
        "nextjs",
        "app/api/chat/route.ts",
        '  const text = await billable(request, "image_generated", async (charge) => {\n',
        "  const { available } = await balance(await signedIn());\n"
        "  if (Number(available) <= 0) return new Response(null, { status: 402 });\n"
        "  const text = await later(async (charge) => {\n",
    ),
    # A refusal that nobody hears of.
    Fault(
        "swallowed-402",
        "flask",
        "shop/views.py",
        "    with billable('image_generated') as charge:\n"
        "        image = draw(request.form['prompt'])\n        charge.use(images=1)\n"
        "    return image\n",
        "    try:\n        with billable('image_generated') as charge:\n"
        "            charge.use(images=1)\n"
        "    except Exception:\n        pass\n    return draw('it')\n",
    ),
    Fault(
        "swallowed-402",
        "express",
        "src/app.ts",
        "    return made.data[0].url;\n  });\n",
        "    return made.data[0].url;\n  }).catch(() => undefined);\n",
    ),
    Fault(
        "swallowed-402",
        "nextjs",
        "lib/billing/web.ts",
        "return Response.json(error.body(), { status: error.status });",
        "return Response.json(error.body());",
    ),
    # Billing that is down.
    Fault(
        "fail-open",
        "fastapi",
        "app/main.py",
        "    charge = await hold(user_id, 'image_generated', estimate={'tokens': 1000})\n",
        "    try:\n        charge = await hold(user_id, 'image_generated')\n"
        "    except BillingUnavailable:\n        charge = None\n",
    ),
    Fault(
        "fail-open",
        "flask",
        "shop/billing/charges.py",
        "        if not config.RUN_WITHOUT_BILLING:\n            raise\n",
        "",
    ),
    Fault(
        "fail-open",
        "nextjs",
        "lib/billing/charges.ts",
        "!(error instanceof BillingUnavailable && RUN_WITHOUT_BILLING)",
        "!(error instanceof BillingUnavailable)",
    ),
    Fault("fail-open", "express", "src/billing/config.ts", "boolean = false", "boolean = true"),
    # Ids that are new each time.
    Fault(
        "fresh-event-id",
        "fastapi",
        "app/billing/charges.py",
        '"id": self.id,\n',
        '"id": str(uuid.uuid4()),\n',
    ),
    Fault(
        "fresh-event-id",
        "express",
        "src/billing/charges.ts",
        "id: this.id,",
        "id: crypto.randomUUID(),",
    ),
    Fault(
        "fresh-event-id",
        "fastapi",
        "app/main.py",
        "request_id=request_id)",
        "request_id=str(uuid.uuid4()))",
    ),
    # What the browser may not say.
    Fault(
        "amount-from-request",
        "flask",
        "shop/views.py",
        "charge.use(images=1)",
        "charge.use(amount=request.json['price'])",
    ),
    Fault(
        "amount-from-request",
        "nextjs",
        "app/api/chat/route.ts",
        "  const { prompt } = await request.json();\n",
        "  const { prompt, tokens } = await request.json();\n  spent.use({ tokens });\n",
    ),
    Fault(
        "amount-from-request",
        "express",
        "src/billing/routes.ts",
        "    if (!TOP_UP_AMOUNTS.includes(amount)) {",
        "    if (!amount) {",
    ),
    Fault(
        "amount-from-request",
        "fastapi",
        "app/billing/routes.py",
        "    if amount not in config.TOP_UP_AMOUNTS:\n",
        "    if not amount:\n",
    ),
    Fault("user-from-request", "fastapi", "app/main.py", "hold(user_id, 'i", "hold(asked.user, 'i"),
    # Webhooks.
    Fault(
        "webhook-raw-body",
        "express",
        "src/app.ts",
        "app.use(billingWebhook());\napp.use(express.json());\n",
        "app.use(express.json());\napp.use(billingWebhook());\n",
    ),
    Fault(
        "webhook-raw-body",
        "flask",
        "shop/billing/routes.py",
        "request.get_data()",
        "json.dumps(request.get_json()).encode()",
    ),
    Fault(
        "webhook-raw-body",
        "nextjs",
        "lib/billing/web.ts",
        "await receive(await request.text(),",
        "await receive(JSON.stringify(await request.json()),",
    ),
    Fault(
        "webhook-unverified",
        "fastapi",
        "app/billing/routes.py",
        "    await run_in_threadpool(webhooks.receive, await request.body(), request.headers)\n",
        "    config.on_event(await request.json())\n",
    ),
    Fault(
        "webhook-unverified",
        "flask",
        "shop/billing/webhooks.py",
        "    if not (genuine and recent):\n        raise InvalidSignature\n",
        "",
    ),
    Fault(
        "webhook-unverified",
        "express",
        "src/billing/webhooks.ts",
        "  if (!recent || !(await signed(`${id}.${sentAt}.${body}`, signatures))) {",
        "  await signed(`${id}.${sentAt}.${body}`, signatures);\n  if (!recent) {",
    ),
    Fault(
        "webhook-unverified",
        "nextjs",
        "app/api/billing/webhook/route.ts",
        "export const POST = withBilling(webhookAnswer);",
        "export async function POST(request: Request) {\n  await paid(await request.json());\n"
        "  return new Response();\n}",
    ),
    Fault(
        "webhook-replay", "fastapi", "app/billing/webhooks.py", "(genuine and recent)", "genuine"
    ),
    # Secrets.
    Fault(
        "secret-in-client",
        "nextjs",
        "app/page.tsx",
        "useState(0);",
        "useState(0);\n  const key = process.env.CREDYT_API_KEY;",
    ),
    Fault(
        "secret-in-client",
        "nextjs",
        "app/page.tsx",
        '"@/components/billing-balance"',
        '"@/lib/billing"',
    ),
    Fault(
        "secret-in-client",
        "nextjs",
        "lib/billing/client.ts",
        'setting("CREDYT_API_KEY")',
        'setting("NEXT_PUBLIC_CREDYT_API_KEY")',
    ),
    Fault(
        "secret-in-code",
        "flask",
        "shop/views.py",
        "views = ",
        "KEY = 'key_0123456789abcdefghjkmnpqrstvwxyz'\nviews = ",
    ),
    Fault("env-missing", "express", ".env.example", "CREDYT_WEBHOOK_SECRET=", "OTHER="),
    # Work outside of billing.
    Fault(
        "unbilled-call",
        "fastapi",
        "app/main.py",
        "        return {'image': image.data[0].url}\n",
        "        return {'image': image.data[0].url}\n\n\n@app.post('/title')\nasync def title():\n"
        "    return await openai.responses.create(input='a title')\n",
    ),
    Fault(
        "work-before-hold",
        "flask",
        "shop/views.py",
        "    charge = hold('image_generated', estimate={'tokens': 1000})\n",
        "    openai.responses.create(input='it')\n    charge = hold('image_generated')\n",
    ),
    Fault(
        "work-before-hold",
        "express",
        "src/app.ts",
        '  const image = await billable(req, "image_generated", async (charge) => {\n',
        '  await client.record(req.user.id, { id: req.id, event_type: "image_generated" });\n'
        "  const image = await later(async (charge) => {\n",
    ),
]
