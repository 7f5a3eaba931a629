// What this app decides about billing. This file is yours: it was written once.

import type { BillingEvent } from "./webhooks";

/** Codes of the products that a new user is subscribed to. */
export const PRODUCTS: string[] = ["chat"];

export const ASSET = "USD";
export const CURRENCY = "USD";

/** Users pay one of these amounts of CURRENCY and get ASSET. */
export const TOP_UP_AMOUNTS = ["10", "25", "50"];

/** Where payment pages lead back to, below APP_URL. */
export const RETURN_PATH = "/";

/** Whether paid work runs while billing is down; it is billed once billing is back. */
export const RUN_WITHOUT_BILLING: boolean = false;

/** The billing server tells of `balance.low`, `top_up.succeeded` and so on. */
export async function onEvent(event: BillingEvent): Promise<void> {
  console.info("billing:", event.type, event.data);
}
