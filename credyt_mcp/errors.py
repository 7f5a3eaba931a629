"""Every error a caller can meet, one class each. Faces render them; nothing here knows a face.

CredytError
├── MalformedRequest     400  malformed_request     not JSON
├── WebhookRefused       400  webhook_refused       not from the payment provider, or not for us
├── Unauthorized         401  unauthorized          no key, or not one of ours
├── InsufficientBalance  402  insufficient_balance  a hold or enforced usage is not covered
├── BudgetExceeded       402  budget_exceeded       a budget has too little left in its window
├── Forbidden            403  forbidden             the key is good, but not for this
├── NotFound             404  not_found             an id in the path
├── WrongMethod          405  wrong_method          the address is there, but not for this method
├── Conflict             409  already_exists        a code or external id that is taken
│   ├── IdReused         409  id_reused             same id, other contents
│   ├── WrongState       409  wrong_state           the thing exists but cannot do that now
│   ├── PlanOutdated     409  plan_outdated         the app's files are not as the plan saw them
│   └── QuoteOutdated    409  quote_outdated        what a quote said is not so any more
├── LinkExpired          410  link_expired          a customer's link or session has ended
├── InvalidRequest       422  invalid_request       `errors` names each field
│   ├── UnknownReference 422  unknown_reference     the body names something that is not there
│   ├── AmountOutOfRange 422  amount_out_of_range   too large, or more decimals than the asset
│   ├── OutsideWindow    422  outside_window        `occurred_at` too old or ahead
│   └── TooMany          422  too_many              more events than one request may hold
├── TooLarge             413  too_large             the body is too large
├── RateLimited          429  rate_limited          this key asks too often: retry later
├── ProviderUnavailable  503  provider_unavailable  the payment provider does not answer: retry
├── Overloaded           503  overloaded            the write queue is full: retry
├── InternalError        500  internal_error        a fault of ours; details stay in the log
├── Misconfigured        500  misconfigured         a setting cannot be used
├── DatabaseUnavailable  500  database_unavailable  the database cannot be reached
├── SchemaOutdated       500  schema_outdated       the database needs `db upgrade`
└── LedgerBroken         500  ledger_broken         an invariant failed; details stay in the log
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar, Self


class CredytError(Exception):
    """Base of all errors; `code` is stable, `hint` says what the caller can do next."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    hint: str = ""
    retry_after_seconds: int | None = None

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}. {self.hint}".rstrip()


class MalformedRequest(CredytError):
    code, status, title = "malformed_request", 400, "The request is not valid JSON"
    hint = "Send a JSON object with Content-Type: application/json."


class WebhookRefused(CredytError):
    code, status, title = "webhook_refused", 400, "The webhook is not from the payment provider"
    hint = "Compare the endpoint's signing secret and mode with this server's settings."


class Unauthorized(CredytError):
    code, status, title = "unauthorized", 401, "No valid API key"
    hint = (
        "Send a key in the X-CREDYT-API-KEY header or as Authorization: Bearer; "
        "`credyt-mcp keys create` makes one."
    )


class InsufficientBalance(CredytError):
    """Denied for lack of funds; amounts are in major units of `asset`."""

    code, status, title = "insufficient_balance", 402, "The wallet does not cover this"
    hint = "Let the customer top up (POST /top-ups, generate_topup_flow) and try again."

    def __init__(self, *, account: str, asset: str, available: Decimal, missing: Decimal) -> None:
        super().__init__(f"{available:f} {asset} available in {account}, {missing:f} missing")
        self.facts: dict[str, str | Decimal] = {
            "account_id": account,
            "asset": asset,
            "available": available,
            "missing": missing,
        }


class BudgetExceeded(CredytError):
    """Denied by a budget; `facts` say which, in major units of its asset, and until when."""

    code, status, title = "budget_exceeded", 402, "A budget does not allow this"
    hint = "Wait until resets_at, or raise the limit (PUT /customers/{id}/budgets, set_budget)."

    def __init__(self, facts: dict[str, Any], needed: Decimal) -> None:
        whose = {"customer": "the customer", "end_user": "the end user", "task": "the task"}
        name = facts.get("user_id") or facts.get("subject")
        super().__init__(
            f"the budget of {whose[facts['level']]}{f' {name!r}' if name else ''} allows "
            f"{facts['limit']:f} {facts['asset']} of {facts['metric']}s a {facts['window']}: "
            f"{facts['used']:f} used, {facts['held']:f} held, {needed:f} more needed; it ends at "
            f"{facts['resets_at'].isoformat()}"
        )
        self.facts = facts


class Forbidden(CredytError):
    code, status, title = "forbidden", 403, "This key may not do that"
    hint = "Use a key of the account you mean to act for."


class NotFound(CredytError):
    code, status, title = "not_found", 404, "Not found"
    hint = "Check the id; the matching list call shows what exists."


class WrongMethod(CredytError):
    code, status, title = "wrong_method", 405, "This address does not take that method"
    hint = "The Allow header lists the methods it takes; /docs shows every operation."


class Conflict(CredytError):
    code, status, title = "already_exists", 409, "Already exists"
    hint = "Use the existing one, or choose another code."


class IdReused(Conflict):
    code, title = "id_reused", "This id was used for something else"
    hint = "Repeat an id only to retry the very same request; use a new id for a new fact."


class WrongState(Conflict):
    code, title = "wrong_state", "Not possible in the present state"
    hint = "Read the object again and act on its status."


class PlanOutdated(Conflict):
    code, title = "plan_outdated", "The app has changed since the plan was made"
    hint = "Plan again, look at what it says now, and apply that; nothing was written."


class QuoteOutdated(Conflict):
    code, title = "quote_outdated", "The quote is not true any more"
    hint = "Quote again (quote_refund), look at what it says now, and confirm that; nothing moved."


class LinkExpired(CredytError):
    """`failure_url` is where the app wants such a customer sent, if that is known."""

    code, status, title = "link_expired", 410, "This link has expired"
    hint = "Go back to the app and open this page from there again."

    def __init__(self, detail: str, *, failure_url: str | None = None) -> None:
        super().__init__(detail)
        self.failure_url = failure_url


class InvalidRequest(CredytError):
    """Refused before anything was written; `errors` maps each field to its messages."""

    code, status, title = "invalid_request", 422, "One or more fields are invalid"
    hint = "Correct the named fields and send the request again."

    def __init__(
        self, field: str | dict[str, list[str]], message: str = "", *, hint: str | None = None
    ) -> None:
        self.errors = field if isinstance(field, dict) else {field: [message]}
        first, messages = next(iter(self.errors.items()))
        detail = f"{first}: {messages[0]}" if first else messages[0]
        others = len(self.errors) - 1
        super().__init__(f"{detail} (and {others} more)" if others else detail, hint=hint)

    def renamed(self, prefix: str, without: str = "") -> Self:
        """The same error for fields that the caller knows under a longer or shorter path."""
        errors = {prefix + name.removeprefix(without): said for name, said in self.errors.items()}
        return type(self)(errors, hint=self.hint)


class UnknownReference(InvalidRequest):
    code, title = "unknown_reference", "The request names something that does not exist"
    hint = "Create it first, or correct the id or code."


class AmountOutOfRange(InvalidRequest):
    code, title = "amount_out_of_range", "The amount cannot be represented"
    hint = "Use an amount within the asset's range and number of decimals."


class OutsideWindow(InvalidRequest):
    code, title = "outside_window", "The event lies outside the accepted time window"
    hint = "Send usage when it happens; corrections of older usage are adjustments."


class TooMany(InvalidRequest):
    code, title = "too_many", "Too many items in one request"
    hint = "Split the request; repeated ids are safe, so a retry bills nothing twice."


class TooLarge(CredytError):
    code, status, title = "too_large", 413, "The request is too large"
    hint = "Send fewer or smaller items in one request."


class RateLimited(CredytError):
    code, status, title = "rate_limited", 429, "Too many requests with this key"
    hint = "Wait as long as Retry-After says and send it again; nothing was done."

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class InternalError(CredytError):
    code, status, title = "internal_error", 500, "Something went wrong on the server"
    hint = "Retry with the same ids: nothing is done twice. If it persists, see the server's log."


class ProviderUnavailable(CredytError):
    """Whether the provider did what it was asked is not known; the same key asks again."""

    code, status, title = "provider_unavailable", 503, "The payment provider does not answer"
    hint = "Retry in a moment; no payment is made twice."


class Overloaded(CredytError):
    code, status, title = "overloaded", 503, "Too many requests are waiting"
    hint = "Retry after a second with the same ids; nothing was written."
    retry_after_seconds = 1


class Misconfigured(CredytError):
    code, status, title = "misconfigured", 500, "A setting cannot be used"
    hint = "Correct the environment variable or the line in .env; see docs/configuration.md."


class DatabaseUnavailable(CredytError):
    code, status, title = "database_unavailable", 500, "The database cannot be reached"
    hint = "Check CREDYT_DATABASE_URL, and that the database server runs and lets you in."


class SchemaOutdated(CredytError):
    code, status, title = "schema_outdated", 500, "The database schema is not up to date"
    hint = "Run `credyt-mcp db upgrade`, or start with --auto-upgrade."


class LedgerBroken(CredytError):
    code, status, title = "ledger_broken", 500, "An accounting invariant does not hold"
    hint = "Run `credyt-mcp ledger verify` and keep the output; nothing was written."
