// Paid work is held, billed once, given back: against a billing server of its own.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";
import * as charges from "../lib/billing/charges";
import {
  balanceAnswer,
  billedStream,
  requestIdOf,
  topUpAnswer,
  webhookAnswer,
  withBilling,
} from "../lib/billing/web";
import { FakeBilling } from "./billing-fake";

const SECRET = Buffer.from("a secret that only tests know").toString("base64");

let billing: FakeBilling;

beforeEach(async () => {
  billing = await new FakeBilling().start();
  process.env.CREDYT_URL = billing.url;
  process.env.CREDYT_API_KEY = "key_test";
  process.env.CREDYT_WEBHOOK_SECRET = `whsec_${SECRET}`;
  process.env.APP_URL = "http://localhost:3000";
});

afterEach(() => billing.stop());

const work = withBilling(async (request) => {
  const options = { requestId: requestIdOf(request) };
  return Response.json(await charges.billable("ann", "work", async () => "done", options));
});

const stream = withBilling(async () => {
  const charge = await charges.hold("ann", "work", { estimate: { units: 10 } });
  const chunks = async function* () {
    const call = charge.modelCall({ provider: "openai", model: "gpt-5" });
    for (let units = 1; units <= 5; units++) {
      charge.use({ units });
      yield `${units} `;
    }
    call.usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
  };
  return billedStream(charge, chunks());
});

const balance = withBilling(() => balanceAnswer("ann"));
const topUp = withBilling((request) => topUpAnswer(request, "ann"));
const webhook = withBilling(webhookAnswer);

function post(headers: Record<string, string> = {}, body?: string): Request {
  const init = { method: "POST", headers, ...(body !== undefined && { body }) };
  return new Request("http://localhost:3000/work", init);
}

test("a new user without credit is blocked and told how to top up", async () => {
  const refused = await work(post());
  assert.equal(refused.status, 402);
  const { code, missing } = (await refused.json()) as Record<string, unknown>;
  assert.deepEqual([code, missing], ["insufficient_balance", 0.05]);
  const paying = await topUp(post({ accept: "text/html" }));
  assert.equal(paying.status, 303);
  assert.equal(paying.headers.get("location"), `${billing.url}/pay/ann`);
  assert.equal(billing.events.size, 0);
});

test("work is billed, and failed work is not", async () => {
  billing.balances.set("ann", 100);
  assert.equal((await work(post())).status, 200);
  const failing = charges.billable("ann", "work", async (charge) => {
    charge.modelCall({ provider: "openai", model: "gpt-5" });
    throw new Error("the work failed");
  });
  await assert.rejects(failing, /the work failed/);
  assert.deepEqual(modelCalls(), [{ provider: "openai", model: "gpt-5" }]);
  const left = await (await balance(new Request("http://localhost:3000"))).json();
  assert.deepEqual(left, { available: "0.95", asset: "USD" });
  assert.equal(billing.available("ann"), 95);
});

test("a balance is shown in full, however small", async () => {
  billing.balances.set("ann", 0.00001);
  const shown = (await (await balance(new Request("http://localhost:3000"))).json()) as object;
  assert.deepEqual(shown, { available: "0.0000001", asset: "USD" });
});

test("a double submit is done and billed once", async () => {
  billing.balances.set("ann", 100);
  const click = { "idempotency-key": "click-1" };
  assert.equal((await work(post(click))).status, 200);
  assert.equal((await work(post(click))).status, 409);
  assert.equal(billing.available("ann"), 95);
});

test("nothing runs while billing is down", async () => {
  process.env.CREDYT_URL = "http://127.0.0.1:9";
  const refused = await work(post());
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, "billing_unavailable");
});

test("usage of an outage is billed once billing is back", async () => {
  billing.balances.set("ann", 100);
  const charge = await charges.hold("ann", "work");
  charge.use();
  billing.down = true;
  await charge.settle();
  assert.equal(billing.events.size, 0);
  billing.down = false;
  await (await charges.hold("ann", "work")).settle();
  assert.deepEqual([...billing.events.keys()], [charge.id]);
  assert.equal(billing.available("ann"), 95);
});

test("a stream is billed by what was used", async () => {
  billing.balances.set("ann", 100);
  assert.equal(await (await stream(post())).text(), "1 2 3 4 5 ");
  assert.equal(billing.available("ann"), 75);
  const usage = { prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 };
  assert.deepEqual(modelCalls(), [{ provider: "openai", model: "gpt-5", usage }]);
});

test("an aborted stream is billed up to where it came", async () => {
  billing.balances.set("ann", 100);
  const reader = (await stream(post())).body?.getReader();
  await reader?.read();
  await reader?.read();
  await reader?.cancel();
  assert.equal(billing.available("ann"), 90);
  assert.deepEqual(modelCalls(), [{ provider: "openai", model: "gpt-5" }]);
  await (await stream(post())).body?.cancel();
  assert.equal(billing.available("ann"), 90);
});

test("a webhook needs a good, recent signature, and may be repeated", async () => {
  const body = JSON.stringify({ id: "evt_1", type: "balance.low", data: {} });
  const deliver = async (headers: Record<string, string>, sent = body): Promise<number> =>
    (await webhook(post(headers, sent))).status;
  assert.equal(await deliver(signed(body)), 204);
  assert.equal(await deliver(signed(body)), 204);
  assert.equal(await deliver(signed(body), `${body} `), 400);
  assert.equal(await deliver({}), 400);
  assert.equal(await deliver(signed(body, 3600)), 400);
});

function modelCalls(): unknown {
  return [...billing.events.values()].flatMap((event) => event.llm_usage);
}

function signed(body: string, age = 0): Record<string, string> {
  const sentAt = String(Math.floor(Date.now() / 1000) - age);
  const code = createHmac("sha256", Buffer.from(SECRET, "base64"))
    .update(`evt_1.${sentAt}.${body}`)
    .digest("base64");
  return {
    "webhook-id": "evt_1",
    "webhook-timestamp": sentAt,
    "webhook-signature": `v1,${code}`,
  };
}
