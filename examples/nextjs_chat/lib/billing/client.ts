// Calls the billing server. Only fetch: billing adds no dependency.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import { ASSET, CURRENCY, PRODUCTS, RETURN_PATH } from "./config";
import {
  BillingError,
  BillingRefused,
  BillingUnavailable,
  BudgetExceeded,
  InsufficientBalance,
} from "./errors";

const TIMEOUT_MS = 5000;
const PAUSES_MS = [200, 800];
const PASSING = [429, 500, 502, 503, 504];

export type Data = Record<string, string | number | boolean>;

/** A call of a model. `usage` is the provider's object, unchanged: the server prices it. */
export interface ModelCall {
  provider: string;
  model: string;
  usage?: object | null | undefined;
  response_id?: string | undefined;
  service_tier?: string | null | undefined;
}

export interface UsageEvent {
  id: string;
  event_type: string;
  occurred_at: string;
  data: Data;
  llm_usage: ModelCall[];
  user_id?: string;
  authorization_id?: string;
}

interface Hold {
  metadata?: { attempt?: string };
}

interface Wallet {
  accounts: { id: string; available: number }[];
}

/** A setting, read when it is needed: some hosts have none while modules load. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** Hold what it will cost. `attempt` comes back: a repeated id has another's. */
export function authorize(
  chargeId: string,
  userId: string,
  eventType: string,
  data: Data,
  attempt: string,
): Promise<Hold> {
  return forCustomer(userId, "POST", "/authorizations", {
    id: chargeId,
    customer_external_id: userId,
    event_type: eventType,
    data,
    metadata: { attempt },
  });
}

export async function capture(chargeId: string, event: UsageEvent): Promise<void> {
  await call("POST", `/authorizations/${chargeId}/capture`, { event }, 3);
}

export async function release(chargeId: string): Promise<void> {
  await call("POST", `/authorizations/${chargeId}/release`, {});
}

/** Bill usage that was never held; the same event id is billed once, ever. */
export async function record(userId: string, event: UsageEvent): Promise<void> {
  const body = { customer_external_id: userId, events: [event] };
  await forCustomer(userId, "POST", "/events", body, 3);
}

/** What the user can spend now. */
export async function balance(userId: string): Promise<{ available: string; asset: string }> {
  const path = `/customers/${encodeURIComponent(userId)}/wallet`;
  const wallet = await forCustomer<Wallet>(userId, "GET", path);
  const account = wallet.accounts.find(({ id }) => id === `default:${ASSET}`);
  return { available: plain(account?.available ?? 0), asset: ASSET };
}

/** A page where the user pays `amount`; the wallet is credited once they have. */
export async function topUpUrl(userId: string, amount: string): Promise<string> {
  const paying = { amount, currency: CURRENCY, destination: { asset: ASSET } };
  const body = { customer_id: userId, ...paying, ...waysBack() };
  return (await forCustomer<Link>(userId, "POST", "/top-ups", body)).redirect_url;
}

/** A page with the user's balance, usage and payments; good for ten minutes. */
export async function portalUrl(userId: string): Promise<string> {
  const body = { customer_id: userId, ...waysBack() };
  return (await forCustomer<Link>(userId, "POST", "/billing-portal/sessions", body)).redirect_url;
}

interface Link {
  redirect_url: string;
}

function waysBack(): { return_url: string; failure_url: string } {
  const back = new URL(RETURN_PATH, setting("APP_URL")).href;
  return { return_url: back, failure_url: back };
}

/** A call about a user, who becomes a customer with a wallet at first use. */
async function forCustomer<T>(
  userId: string,
  method: string,
  path: string,
  body?: object,
  tries = 2,
): Promise<T> {
  try {
    return await call<T>(method, path, body, tries);
  } catch (error) {
    const unknown = ["not_found", "unknown_reference"];
    if (!(error instanceof BillingRefused && unknown.includes(error.code))) throw error;
  }
  await call("POST", "/wallets", { external_id: userId, products: PRODUCTS });
  return await call<T>(method, path, body, tries);
}

/** Every call may be repeated: ids are ours, and the server does nothing twice. */
async function call<T>(method: string, path: string, body?: object, tries = 2): Promise<T> {
  const url = setting("CREDYT_URL").replace(/\/$/, "") + path;
  const headers = {
    authorization: `Bearer ${setting("CREDYT_API_KEY")}`,
    "content-type": "application/json",
  };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  let reason = "";
  for (let attempt = 0; attempt < tries; attempt++) {
    if (attempt > 0) await pause(PAUSES_MS[attempt - 1]);
    try {
      const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
      const said = await answer.json().catch(() => ({}));
      if (answer.ok) return said as T;
      if (!PASSING.includes(answer.status)) throw refusal(answer.status, said as Problem);
      reason = `it answered ${answer.status}`;
    } catch (error) {
      if (error instanceof BillingError) throw error;
      reason = String(error);
    }
  }
  throw new BillingUnavailable(`${method} ${path}: ${reason}`);
}

interface Problem {
  code?: string;
  detail?: string;
  available?: number;
  missing?: number;
  resets_at?: string;
}

function refusal(status: number, problem: Problem): BillingError {
  const { code = `http_${status}`, detail = "" } = problem;
  if (code === "insufficient_balance") {
    return new InsufficientBalance(problem.available, problem.missing);
  }
  if (code === "budget_exceeded") return new BudgetExceeded(problem.resets_at);
  return new BillingRefused(code, detail);
}

/** Without an exponent, however small. */
function plain(amount: number): string {
  return amount.toLocaleString("en", { maximumFractionDigits: 20, useGrouping: false });
}

function pause(milliseconds = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
