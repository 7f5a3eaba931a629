// Hold what work will cost, then bill what was delivered or give the hold back.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import * as client from "./client";
import type { Data, ModelCall } from "./client";
import { RUN_WITHOUT_BILLING } from "./config";
import { BillingUnavailable, DuplicateRequest } from "./errors";
import * as outbox from "./outbox";

export interface ChargeOptions {
  /** The browser's id for one click: a double submit is done and billed once. */
  requestId?: string | null | undefined;
  /** What prices read, as far as it is known before the work. */
  estimate?: Data;
}

/** Work under way: `use` says what was delivered, `settle` bills it or releases. */
export class Charge {
  readonly id: string;
  readonly userId: string;
  readonly eventType: string;
  readonly held: boolean;
  private data: Data;
  private readonly calls: ModelCall[] = [];
  private delivered = false;
  private settling: Promise<void> | undefined;

  constructor(id: string, userId: string, eventType: string, data: Data, held: boolean) {
    this.id = id;
    this.userId = userId;
    this.eventType = eventType;
    this.data = data;
    this.held = held;
  }

  /** Something was delivered. What prices read of it replaces the estimate. */
  use(data: Data = {}): void {
    this.delivered = true;
    this.data = { ...this.data, ...data };
  }

  /**
   * A model is being called: what that costs you is booked with the event. Set `usage` on
   * the answer once the provider tells it; a call cut off before that counts as unpriced.
   */
  modelCall(call: ModelCall): ModelCall {
    this.calls.push(call);
    return call;
  }

  /** Once, after the work. It never fails: the work cannot be taken back. */
  settle(): Promise<void> {
    this.settling ??= this.finish();
    return this.settling;
  }

  private async finish(): Promise<void> {
    const event = {
      id: this.id,
      event_type: this.eventType,
      occurred_at: new Date().toISOString(),
      data: this.data,
      llm_usage: this.calls,
    };
    try {
      if (this.delivered && this.held) await client.capture(this.id, event);
      else if (this.delivered) await client.record(this.userId, event);
      else if (this.held) await client.release(this.id);
      await outbox.resend();
    } catch (error) {
      const hold = this.held ? { authorization_id: this.id } : {};
      if (this.delivered) outbox.keep(this.userId, { ...event, ...hold }, error);
      else console.warn(`hold ${this.id} expires unreleased:`, error);
    }
    if (!this.delivered && this.calls.length > 0) {
      // Work that failed is free for the user, but its calls cost you.
      await outbox.record("internal", { ...event, user_id: this.userId });
    }
  }
}

/**
 * Set aside what the work will cost. Throws InsufficientBalance, DuplicateRequest when
 * the user sent `requestId` before, and BillingUnavailable unless RUN_WITHOUT_BILLING.
 */
export async function hold(
  userId: string,
  eventType: string,
  { requestId, estimate = {} }: ChargeOptions = {},
): Promise<Charge> {
  const id = requestId
    ? await digest(JSON.stringify([eventType, userId, requestId]))
    : crypto.randomUUID();
  const attempt = crypto.randomUUID();
  try {
    const held = await client.authorize(id, userId, eventType, estimate, attempt);
    if (held.metadata?.attempt !== attempt) throw new DuplicateRequest();
  } catch (error) {
    if (!(error instanceof BillingUnavailable && RUN_WITHOUT_BILLING)) throw error;
    console.warn(`running ${eventType} for ${userId} without a hold`);
    return new Charge(id, userId, eventType, estimate, false);
  }
  return new Charge(id, userId, eventType, estimate, true);
}

/** Bill the work once it is done; work that fails before `use` is free. */
export async function billable<T>(
  userId: string,
  eventType: string,
  work: (charge: Charge) => Promise<T>,
  options: ChargeOptions = {},
): Promise<T> {
  const charge = await hold(userId, eventType, options);
  try {
    const result = await work(charge);
    charge.use();
    return result;
  } finally {
    await charge.settle();
  }
}

/** The chunks as they come, each of them counted as delivered. */
export async function* delivered<T>(charge: Charge, chunks: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const chunk of chunks) {
    charge.use();
    yield chunk;
  }
}

async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const bytes = [...new Uint8Array(hash)].slice(0, 16);
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
