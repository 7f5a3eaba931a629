// Prepaid usage billing: `billable` around paid work in a route handler, with its request, or
// in a server action, with `{ headers: await headers() }`.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

import * as charges from "./charges";
import type { Charge } from "./charges";
import type { Data } from "./client";
import { SignInFirst } from "./errors";
import { currentUserId } from "./user";
import { requestIdOf } from "./web";

export {
  BillingError,
  BillingUnavailable,
  BudgetExceeded,
  DuplicateRequest,
  InsufficientBalance,
} from "./errors";
export {
  balanceAnswer,
  billedStream,
  portalAnswer,
  topUpAnswer,
  webhookAnswer,
  withBilling,
} from "./web";
export type { Charge };

export async function signedIn(): Promise<string> {
  const id = await currentUserId();
  if (!id) throw new SignInFirst();
  return id;
}

/** Bill the work once it is done; work that fails before `use` is free. */
export async function billable<T>(
  request: Pick<Request, "headers">,
  eventType: string,
  work: (charge: Charge) => Promise<T>,
  estimate: Data = {},
): Promise<T> {
  const options = { requestId: requestIdOf(request), estimate };
  return charges.billable(await signedIn(), eventType, work, options);
}

export async function hold(
  request: Pick<Request, "headers">,
  eventType: string,
  estimate: Data = {},
): Promise<Charge> {
  const options = { requestId: requestIdOf(request), estimate };
  return charges.hold(await signedIn(), eventType, options);
}
