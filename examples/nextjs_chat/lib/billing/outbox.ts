// Usage that could not be billed yet: in the log, and sent again once billing answers.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import * as client from "./client";
import type { UsageEvent } from "./client";
import { BillingUnavailable } from "./errors";

const KEPT_MAX = 10_000;

const kept: { userId: string; event: UsageEvent }[] = [];

/**
 * The line in the log outlives this process. It holds what POST /events takes: sent
 * again, however often, it is billed once.
 */
export function keep(userId: string, event: UsageEvent, failure: unknown): void {
  const body = { customer_external_id: userId, events: [event] };
  console.error("unbilled:", JSON.stringify(body), failure);
  if (failure instanceof BillingUnavailable && kept.length < KEPT_MAX) {
    kept.push({ userId, event });
  }
}

/** Whether it is billed now; otherwise it is kept. */
export async function record(userId: string, event: UsageEvent): Promise<boolean> {
  try {
    await client.record(userId, event);
    return true;
  } catch (error) {
    keep(userId, event, error);
    return false;
  }
}

/** Billing has just answered: it gets what it could not take before. */
export async function resend(): Promise<void> {
  for (let next = kept.shift(); next; next = kept.shift()) {
    if (!(await record(next.userId, next.event))) return;
  }
}
