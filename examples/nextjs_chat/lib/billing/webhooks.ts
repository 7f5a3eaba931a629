// Receives what the billing server tells: signed, recent, and each event once.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { setting } from "./client";
import { onEvent } from "./config";
import { InvalidSignature } from "./errors";

const TOLERANCE_SECONDS = 300;

export interface BillingEvent {
  id: string;
  type: string;
  created: string;
  data: Record<string, unknown>;
}

const seen = new Map<string, number>();

/**
 * Hand a genuine event to onEvent. Throws InvalidSignature.
 *
 * `body` is the text as it came. Events may come more than once: this process remembers
 * them while their signature is good, and onEvent must not mind a repeat after that.
 */
export async function receive(
  body: string,
  header: (name: string) => string | null | undefined,
): Promise<void> {
  const id = header("webhook-id") ?? "";
  const sentAt = header("webhook-timestamp") ?? "";
  const signatures = (header("webhook-signature") ?? "").split(" ");
  const now = Date.now() / 1000;
  const recent = /^\d+$/.test(sentAt) && Math.abs(now - Number(sentAt)) <= TOLERANCE_SECONDS;
  if (!recent || !(await signed(`${id}.${sentAt}.${body}`, signatures))) {
    throw new InvalidSignature();
  }
  for (const [old, until] of seen) if (until < now) seen.delete(old);
  if (seen.has(id)) return;
  seen.set(id, now + 2 * TOLERANCE_SECONDS);
  try {
    await onEvent(JSON.parse(body) as BillingEvent);
  } catch (error) {
    seen.delete(id);
    throw error;
  }
}

async function signed(text: string, signatures: string[]): Promise<boolean> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = bytes(setting("CREDYT_WEBHOOK_SECRET").replace(/^whsec_/, ""));
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["verify"]);
  const data = new TextEncoder().encode(text);
  for (const signature of signatures) {
    if (!signature.startsWith("v1,")) continue;
    // `verify` compares in constant time.
    if (await crypto.subtle.verify("HMAC", key, bytes(signature.slice(3)), data)) return true;
  }
  return false;
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return new Uint8Array();
  }
}
