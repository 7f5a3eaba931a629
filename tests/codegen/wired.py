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
NEXT_PAGE = """\
"use client";

import { BillingBalance } from "@/components/billing-balance";

export default function Page() {
  const [balance, setBalance] = useState(0);
  return balance > 0 ? <BillingBalance /> : <p>Top up</p>;
}
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


WIRED: dict[str, Files] = {
    "fastapi": _fastapi(integrated(APPS["fastapi"])),
    "flask": integrated(APPS["flask"]) | {"shop/views.py": FLASK_VIEWS},
    "django": integrated(APPS["django"]) | {"images/views.py": DJANGO_VIEWS},
    "express": _express(integrated(APPS["express"])),
    "nextjs": integrated(APPS["nextjs"])
    | {"app/api/chat/route.ts": NEXT_CHAT, "app/page.tsx": NEXT_PAGE},
}
