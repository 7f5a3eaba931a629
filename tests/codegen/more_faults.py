"""Faults of the same kinds, written another way than in `faults.py`."""

from __future__ import annotations

from tests.codegen.faults import Fault

MORE_FAULTS: list[Fault] = [
    Fault(
        "webhook-raw-body",
        "express",
        "src/app.ts",
        "app.use(billingWebhook());\napp.use(express.json());\n",
        'app.use("/api", bodyParser.json({ limit: "1mb" }));\napp.use(billingWebhook());\n',
    ),
    Fault(
        "webhook-unverified",
        "flask",
        "shop/billing/routes.py",
        "    webhooks.receive(request.get_data(), request.headers)\n",
        "    try:\n        webhooks.receive(request.get_data(), request.headers)\n"
        "    except InvalidSignature:\n        log.warning('unsigned')\n",
    ),
    Fault(
        "fresh-event-id",
        "flask",
        "shop/billing/charges.py",
        "                client.record(self.user_id, event)\n",
        "                fresh = str(uuid.uuid4())\n"
        "                client.record(self.user_id, {**event, 'id': fresh})\n",
    ),
    Fault(
        "amount-from-request",
        "express",
        "src/app.ts",
        'app.post("/chat", async',
        'app.post("/buy", async (req, res) => {\n'
        "  const paying = { amount: Number(req.body.amount) };\n"
        "  res.json(await post(`${url}/top-ups`, { amount: Number(req.body.amount), paying }));\n"
        '});\n\napp.post("/chat", async',
    ),
    Fault(
        "secret-in-client",
        "nextjs",
        "app/page.tsx",
        "<BillingBalance />",
        "<BillingBalance apiKey={process.env.CREDYT_API_KEY} />",
    ),
    Fault(
        "secret-in-client",
        "flask",
        "shop/views.py",
        "    return image\n",
        "    return render_template('i.html', key=os.environ['CREDYT_API_KEY'])\n",
    ),
    Fault(
        "capture-missing-on-abort",
        "flask",
        "shop/views.py",
        "            yield chunk.text\n\n    return billed_stream(charge, chunks())\n",
        "            yield chunk.text\n        charge.settle()\n\n    return Response(chunks())\n",
    ),
    Fault(
        "release-missing-on-error",
        "fastapi",
        "app/main.py",
        "        return {'image': image.data[0].url}\n",
        "        return {'image': image.data[0].url}\n\n\n@app.post('/sketch')\n"
        "async def sketch(user_id: UserId):\n    charge = await hold(user_id, 'image_generated')\n"
        "    charge.use(lines=await work())\n    await run_in_threadpool(charge.settle)\n",
    ),
]
