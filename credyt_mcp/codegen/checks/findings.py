"""What may be wrong with an integration: every rule with what it costs and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tree_sitter import Node

from credyt_mcp.codegen.checks.syntax import Source, line_of


@dataclass(frozen=True)
class Rule:
    cost: str
    fix: str


RULES = {
    "secret-in-client": Rule(
        "anybody who opens the page can take the key and spend or credit every wallet",
        "keep it in server code, under a name that bundlers leave out; then replace the key",
    ),
    "secret-in-code": Rule(
        "whoever reads the repository can spend or credit every wallet",
        "read it from the environment, and replace the key: it has been seen",
    ),
    "env-missing": Rule(
        "the app cannot bill where it is not set: its paid work stops",
        "name it in .env.example, and set it where the app runs",
    ),
    "webhook-raw-body": Rule(
        "a parsed body has no valid signature: every webhook is refused",
        "give the signature check the body as it came, before any JSON parser",
    ),
    "webhook-unverified": Rule(
        "anybody can tell the app that a payment arrived",
        "check the signature with CREDYT_WEBHOOK_SECRET, and refuse the request where it is wrong",
    ),
    "webhook-replay": Rule(
        "a webhook that was seen once can be sent again for ever",
        "refuse a webhook-timestamp that is more than a few minutes away",
    ),
    "capture-missing-on-abort": Rule(
        "a reader who closes the page in mid-stream has had the work for nothing",
        "settle in `finally`, in the stream's `cancel`, or by billing's own stream helper",
    ),
    "release-missing-on-error": Rule(
        "when the work fails, the user's money stays held until the hold expires",
        "settle in `finally`, or put `billable` around the work",
    ),
    "hold-never-settled": Rule(
        "the work is never billed, and the user's money stays held until the hold expires",
        "settle in `finally`, or put `billable` around the work",
    ),
    "check-then-act": Rule(
        "requests at the same time all pass the check, and spend more than there is",
        "hold instead: `billable` asks for the money and sets it aside in one step",
    ),
    "swallowed-402": Rule(
        "the work goes on, or the user never learns that a top-up is needed",
        "let the error through, or answer 402 with `top_up_url`",
    ),
    "fail-open": Rule(
        "while billing is down, everybody gets the paid work for nothing",
        "refuse the work until billing answers; let the error through",
    ),
    "fresh-event-id": Rule(
        "a repeated request or retry is billed again",
        "make the id once, from the action it is about, and send the same one again",
    ),
    "amount-from-request": Rule(
        "the browser decides what is paid",
        "take it from what was done, or from a list of yours",
    ),
    "user-from-request": Rule(
        "a user can spend another one's wallet by naming them",
        "take the user from the signed-in session",
    ),
    "work-before-hold": Rule(
        "work runs for users who cannot pay for it",
        "hold before the work, and settle after it",
    ),
    "unbilled-call": Rule(
        "this call costs you money that nobody is billed for",
        "put it inside `billable`, or count it towards the charge that is open",
    ),
    "event-not-billed": Rule(
        "the action is for sale, and free: no code of yours names its event type",
        "put `billable` around the action, or take the event type out of the answers",
    ),
}


@dataclass(frozen=True, order=True)
class Finding:
    """`line` counts from 1; 0 is the file as a whole."""

    path: str
    line: int
    rule: str
    said: str

    @property
    def cost(self) -> str:
        return RULES[self.rule].cost

    @property
    def fix(self) -> str:
        return RULES[self.rule].fix


def at(source: Source, node: Node, rule: str, said: str) -> Finding:
    return Finding(source.path, line_of(node), rule, said)


def allowed(finding: Finding, text: str) -> bool:
    """Whether the line, or the one above it, says `credyt-allow: <rule>`."""
    lines = text.splitlines()[max(finding.line - 2, 0) : finding.line]
    return any(re.search(rf"credyt-allow:[\w, -]*\b{finding.rule}\b", line) for line in lines)
