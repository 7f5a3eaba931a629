// Billing for handlers that take a Request and answer a Response.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { delivered } from "./charges";
import type { Charge } from "./charges";
import { balance, portalUrl, topUpUrl } from "./client";
import { TOP_UP_AMOUNTS } from "./config";
import { BillingError } from "./errors";
import { receive } from "./webhooks";

/** A handler whose billing errors become JSON with a `code`. */
export function withBilling<Rest extends unknown[]>(
  handler: (request: Request, ...rest: Rest) => Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  return async (request, ...rest) => {
    try {
      return await handler(request, ...rest);
    } catch (error) {
      if (error instanceof BillingError) return errorAnswer(error);
      throw error;
    }
  };
}

/** What the browser is told: JSON with a `code`. */
function errorAnswer(error: BillingError): Response {
  if (error.status >= 500) console.error(error);
  return Response.json(error.body(), { status: error.status });
}

/** The browser's id for one click, so that a double submit is done and billed once. */
export function requestIdOf(request: Pick<Request, "headers">): string | null {
  return request.headers.get("idempotency-key");
}

/**
 * A stream that is billed by what was delivered, also when the reader goes away.
 * Call `charge.use({ tokens })` while it runs; what never got known is billed as estimated.
 */
export function billedStream(
  charge: Charge,
  chunks: AsyncIterable<string | Uint8Array>,
  init?: ResponseInit,
): Response {
  const source = delivered(charge, chunks);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await source.next();
          if (!done) {
            controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
            return;
          }
          await charge.settle();
          controller.close();
        } catch (error) {
          await charge.settle();
          controller.error(error);
        }
      },
      async cancel() {
        await charge.settle();
        await source.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, init);
}

export async function balanceAnswer(userId: string): Promise<Response> {
  return Response.json(await balance(userId), { headers: { "cache-control": "no-store" } });
}

export async function topUpAnswer(request: Request, userId: string): Promise<Response> {
  const amount = new URL(request.url).searchParams.get("amount") ?? TOP_UP_AMOUNTS[0] ?? "";
  if (!TOP_UP_AMOUNTS.includes(amount)) {
    const message = `amount must be one of ${TOP_UP_AMOUNTS.join(", ")}`;
    throw new BillingError(422, "invalid_amount", message);
  }
  return leadTo(request, await topUpUrl(userId, amount));
}

export async function portalAnswer(request: Request, userId: string): Promise<Response> {
  return leadTo(request, await portalUrl(userId));
}

export async function webhookAnswer(request: Request): Promise<Response> {
  await receive(await request.text(), (name) => request.headers.get(name));
  return new Response(null, { status: 204 });
}

/** A redirect for a form's button, JSON for a script. */
function leadTo(request: Request, url: string): Response {
  const asked = request.headers.get("accept") ?? "";
  if (!asked.includes("text/html")) return Response.json({ url });
  return new Response(null, { status: 303, headers: { location: url } });
}
