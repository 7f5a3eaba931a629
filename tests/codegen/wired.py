"""Apps whose billable work is billed as it should be: what a coding tool makes of a plan."""

from __future__ import annotations

from tests.codegen.apps import APPS, integrated

Files = dict[str, str | None]

FASTAPI_ROUTES = """\


@app.post('/images')
async def create_image(user_id: UserId, request_id: RequestId = None) -> dict[str, str]:
    async with billable(user_id, 'image_generated', request_id=request_id) as charge:
        image = await openai.images.generate(model='gpt-image-1', prompt='a drawing')
        charge.use(tokens=image.usage.total_tokens)
        return {'image': image.data[0].url}


@app.post('/chat')
async def chat(asked: Asked, user_id: UserId) -> BilledStream:
    charge = await hold(user_id, 'image_generated', estimate={'tokens': 1000})

    async def chunks() -> AsyncIterator[str]:
        answer = await openai.chat.completions.create(stream=True, messages=asked.messages)
        async for chunk in answer:
            if chunk.usage:
                charge.use(tokens=chunk.usage.total_tokens)
            yield chunk.choices[0].delta.content

    return BilledStream(charge, chunks())
"""
FLASK_VIEWS = """\
from flask import Blueprint, request

from .billing import billable, billed_stream, hold

views = Blueprint('views', __name__)


@views.post('/images')
def create_image():
    with billable('image_generated') as charge:
        image = draw(request.form['prompt'])
        charge.use(images=1)
    return image


@views.post('/chat')
def chat():
    charge = hold('image_generated', estimate={'tokens': 1000})

    def chunks():
        for chunk in openai.chat.completions.create(stream=True):
            charge.use(tokens=chunk.usage.total_tokens)
            yield chunk.text

    return billed_stream(charge, chunks())


def draw(prompt):
    return openai.images.generate(prompt=prompt).data[0].url
"""
DJANGO_VIEWS = """\
from billing import BilledStream, abillable, ahold, billable


def create(request):
    with billable(request, 'image_generated') as charge:
        image = openai.images.generate(prompt=request.POST['prompt'])
        charge.use(tokens=image.usage.total_tokens)
    return JsonResponse({'image': image.data[0].url})


async def summary(request):
    async with abillable(request, 'image_generated'):
        return JsonResponse(await openai.responses.create(input=request.POST['text']))


async def chat(request):
    charge = await ahold(request, 'image_generated', estimate={'tokens': 1000})

    async def chunks():
        async for chunk in await openai.chat.completions.create(stream=True):
            charge.use(tokens=chunk.usage.total_tokens)
            yield chunk.choices[0].delta.content

    return BilledStream(charge, chunks())
"""
EXPRESS_ROUTES = """\

app.post("/images", async (req, res) => {
  const image = await billable(req, "image_generated", async (charge) => {
    const made = await openai.images.generate({ prompt: req.body.prompt });
    charge.use({ tokens: made.usage.total_tokens });
    return made.data[0].url;
  });
  res.json({ image });
});

app.post("/chat", async (req, res) => {
  const charge = await hold(req, "image_generated", { tokens: 1000 });
  await sendBilled(res, charge, (async function* () {
    for await (const chunk of await openai.chat.completions.create({ stream: true })) {
      if (chunk.usage) charge.use({ tokens: chunk.usage.total_tokens });
      yield chunk.choices[0].delta.content;
    }
  })());
});
"""
NEXT_CHAT = """\
import { billable, billedStream, hold, withBilling } from "@/lib/billing";
import { generateText, streamText } from "ai";

export const PUT = withBilling(async (request) => {
  const { prompt } = await request.json();
  const text = await billable(request, "image_generated", async (charge) => {
    const { text, totalUsage } = await generateText({ model, prompt });
    charge.use({ tokens: totalUsage.totalTokens });
    return text;
  });
  return Response.json({ text });
});

export const POST = withBilling(async (request) => {
  const { messages } = await request.json();
  const charge = await hold(request, "image_generated", { tokens: 1000 });
  const result = streamText({
    model,
    messages,
    onFinish: ({ totalUsage }) => charge.use({ tokens: totalUsage.totalTokens }),
  });
  return billedStream(charge, result.textStream);
});
"""
NEXT_ACTION = """\
"use server";

import { headers } from "next/headers";
import { BillingError, billable } from "@/lib/billing";

export async function draw() {
  try {
    return await billable({ headers: await headers() }, "image_generated", async () => "a drawing");
  } catch (error) {
    if (error instanceof BillingError) return error.body();
    throw error;
  }
}
"""
NEXT_PAGE = """\
"use client";

import { BillingBalance } from "@/components/billing-balance";

export default function Page() {
  const [balance, setBalance] = useState(0);
  return balance > 0 ? <BillingBalance /> : <p>Top up</p>;
}
"""


HONO_ROUTES = """\

app.post("/images", async (c) => {
  const image = await billable(c, "image_generated", async (charge) => {
    const made = await openai.images.generate({ prompt: "a drawing" });
    charge.use({ tokens: made.usage.total_tokens });
    return made.data[0].url;
  });
  return c.json({ image });
});

app.post("/chat", async (c) => {
  const charge = await hold(c, "image_generated", { tokens: 1000 });
  const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
  async function* chunks() {
    for await (const chunk of await openai.chat.completions.create({ stream: true })) {
      call.usage = chunk.usage;
      yield chunk.choices[0].delta.content;
    }
  }
  return billedStream(charge, chunks());
});
"""
EDGE_FUNCTION = """\
import { billable, billedStream, hold, withBilling } from "../_shared/billing/index.ts";

Deno.serve(withBilling(async (request) => {
  if (request.method === "POST") {
    const charge = await hold(request, "image_generated", { tokens: 1000 });
    const answer = await fetch(GATEWAY, { method: "POST", body: await request.text() });
    return billedStream(charge, answer.body!);
  }
  const image = await billable(request, "image_generated", async (charge) => {
    const made = await openai.images.generate({ prompt: "a drawing" });
    charge.use({ tokens: made.usage.total_tokens });
    return made.data[0].url;
  });
  return Response.json({ image });
}));
"""
START_FUNCTION = """\
import { createServerFn } from "@tanstack/react-start";
import { billable } from "@/lib/billing";

export const draw = createServerFn({ method: "POST" }).handler(async () => {
  return billable("image_generated", async (charge) => {
    const { text, totalUsage } = await generateText({ model, prompt });
    charge.use({ tokens: totalUsage.totalTokens });
    return text;
  });
});
"""
START_ROUTE = """\
import { createFileRoute } from "@tanstack/react-router";
import { billedStream, hold } from "@/lib/billing";

export const Route = createFileRoute("/api/chat")({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const { messages } = await request.json();
        const charge = await hold("image_generated", { tokens: 1000 });
        const result = streamText({
          model,
          messages,
          onFinish: ({ totalUsage }) => charge.use({ tokens: totalUsage.totalTokens }),
        });
        return billedStream(charge, result.textStream);
      },
    },
  },
});
"""


def changed(files: Files, path: str, old: str, new: str) -> Files:
    text = files[path] or ""
    assert text.count(old) == 1, f"{path} has {text.count(old)} of {old!r}"
    return files | {path: text.replace(old, new)}


def _fastapi(files: Files) -> Files:
    names = "BilledStream, RequestId, UserId, billable, hold"
    main = (files["app/main.py"] or "") + FASTAPI_ROUTES
    return files | {"app/main.py": f"from app.billing import {names}\n{main}"}


def _express(files: Files) -> Files:
    files = changed(
        files, "src/app.ts", "{ billingErrors,", "{ billable, billingErrors, hold, sendBilled,"
    )
    return changed(
        files,
        "src/app.ts",
        "app.use(express.json());\n",
        "app.use(express.json());\n" + EXPRESS_ROUTES,
    )


def _hono(files: Files) -> Files:
    names = "{ billable, billedStream, billingRoutes, hold }"
    files = changed(files, "src/index.ts", "{ billingRoutes }", names)
    served = 'app.get("/", (c) => c.text("hello"));\n'
    return changed(files, "src/index.ts", served, served + HONO_ROUTES)


WIRED: dict[str, Files] = {
    "fastapi": _fastapi(integrated(APPS["fastapi"])),
    "flask": integrated(APPS["flask"]) | {"shop/views.py": FLASK_VIEWS},
    "django": integrated(APPS["django"]) | {"images/views.py": DJANGO_VIEWS},
    "express": _express(integrated(APPS["express"])),
    "hono": _hono(integrated(APPS["hono"])),
    "nextjs": integrated(APPS["nextjs"])
    | {
        "app/api/chat/route.ts": NEXT_CHAT,
        "app/actions.ts": NEXT_ACTION,
        "app/page.tsx": NEXT_PAGE,
    },
    "supabase": integrated(APPS["supabase"])
    | {"supabase/functions/images/index.ts": EDGE_FUNCTION},
    "tanstack": integrated(APPS["tanstack"])
    | {"src/lib/draw.functions.ts": START_FUNCTION, "src/routes/api/chat.ts": START_ROUTE},
}
