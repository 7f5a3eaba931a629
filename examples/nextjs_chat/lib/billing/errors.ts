// What can go wrong; `status` and `body()` are what the user's browser is told.
// Written by credyt-mcp (nextjs, template 1), and again when the template improves:
// changes you make here are kept.

export class BillingError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }

  body(): Record<string, unknown> {
    return { code: this.code, message: this.message };
  }
}

/** The billing server did not answer. */
export class BillingUnavailable extends BillingError {
  readonly reason: string;

  constructor(reason: string) {
    const message = "Billing cannot be reached, please try again in a moment.";
    super(503, "billing_unavailable", message);
    this.reason = reason;
  }
}

/** The billing server said no: it is called wrongly, for one with a wrong key. */
export class BillingRefused extends BillingError {
  readonly detail: string;

  constructor(code: string, detail: string) {
    super(502, code, "Billing does not work at the moment.");
    this.detail = detail;
  }
}

/** The wallet does not cover what the work would cost; nothing was done. */
export class InsufficientBalance extends BillingError {
  readonly available: number | undefined;
  readonly missing: number | undefined;

  constructor(available?: number, missing?: number) {
    const message = "Your balance does not cover this. Please top up.";
    super(402, "insufficient_balance", message);
    this.available = available;
    this.missing = missing;
  }

  override body(): Record<string, unknown> {
    const { available, missing } = this;
    return { ...super.body(), available, missing, top_up_url: "/api/billing/top-up" };
  }
}

/** Who asks has used what they may in this hour, day or month; nothing was done. */
export class BudgetExceeded extends BillingError {
  readonly resetsAt: string | undefined;

  constructor(resetsAt?: string) {
    super(429, "budget_exceeded", "You have reached your limit for now.");
    this.resetsAt = resetsAt;
  }

  override body(): Record<string, unknown> {
    return { ...super.body(), resets_at: this.resetsAt };
  }
}

/** A request with this id ran before or runs now: it must not be done twice. */
export class DuplicateRequest extends BillingError {
  constructor() {
    super(409, "duplicate_request", "This request was sent before.");
  }
}

/** A webhook that the billing server did not send, or that is too old. */
export class InvalidSignature extends BillingError {
  constructor() {
    super(400, "invalid_signature", "Not signed by the billing server.");
  }
}

/** Nobody is signed in. */
export class SignInFirst extends BillingError {
  constructor() {
    super(401, "sign_in_first", "Please sign in.");
  }
}
