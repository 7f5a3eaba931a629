"""Every use case can be reached over REST and over MCP, or stands here with the reason."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from credyt_mcp import use_cases
from credyt_mcp.entrypoints.mcp.tools import TOOLS

ENTRYPOINTS = Path(__file__).parents[1] / "credyt_mcp" / "entrypoints"

PAGE_ONLY = "a step of a page, for a customer's browser"
LEAN_LIST = "each tool costs every conversation tokens; no flow of the skills needs this one"
WEBHOOKS = "set up once, by a person; no flow of the skills does it"
PROFITABILITY = (
    "get_event shows what an event earned; sums are for reports, which read them by REST"
)
COST_RULES = "a policy, set once, by a person; get_event shows the rule of each cost"
REPLAYS = "replay_pricing answers whole; what was kept is for reports"
PROVIDERS_ONLY = "a payment provider's delivery, which its signature admits and no API key"
CODING_TOOLS = "for coding tools, which speak MCP; the command line reads a folder itself"
BILLS = "a file, which the command line or the app's own job brings; the tool tells of it"
PAGES = [
    "view_checkout",
    "pay_checkout",
    "enter_portal",
    "view_portal",
    "top_up_in_portal",
    "set_auto_top_up_in_portal",
    "stop_auto_top_up_in_portal",
    "add_card_in_portal",
    "choose_card_in_portal",
    "remove_card_in_portal",
    "view_sandbox",
    "refund_in_sandbox",
    "dispute_in_sandbox",
    "step_in_sandbox",
]
NOT_OVER_REST = {
    "plan_integration": CODING_TOOLS,
    "verify_integration": CODING_TOOLS,
    "receive_provider_event": PROVIDERS_ONLY,
    "record_event": "POST /events is the wire's call; this is submit_events for one event",
    "define_price": "the plain way for a model to say what create_product_version says",
    "generate_topup_flow": "POST /top-ups is the wire's call; this adds what a model must know",
    **dict.fromkeys(PAGES, PAGE_ONLY),
}
CARDS = "a customer's cards and consent are the customer's: the portal, or the app's own page"
NO_SECRETS = "a key would be written into a conversation: left to people"
SET_UP = "where the money goes is set up once, by a person"
NOT_OVER_MCP = {
    "get_margin_decisions": "get_profitability adds them with decisions",
    "create_alert": LEAN_LIST,
    "list_alerts": LEAN_LIST,
    "update_alert": LEAN_LIST,
    "delete_alert": LEAN_LIST,
    "list_budgets": "get_wallet shows the customer's own, and a refusal names its budget",
    "delete_budget": LEAN_LIST,
    "set_auto_top_up": CARDS,
    "get_auto_top_up": CARDS,
    "stop_auto_top_up": CARDS,
    "list_payment_methods": CARDS,
    "add_payment_method": CARDS,
    "set_default_payment_method": CARDS,
    "remove_payment_method": CARDS,
    "list_unpriced_costs": PROFITABILITY,
    "reprice_costs": PROFITABILITY,
    "record_spans": "what an OpenTelemetry exporter sends; a model calls record_event",
    "import_vendor_bill": BILLS,
    "list_vendor_bills": BILLS,
    "get_vendor_bill": BILLS,
    "delete_vendor_bill": BILLS,
    "true_up_costs": BILLS,
    "compare_replays": REPLAYS,
    "delete_replay": REPLAYS,
    "get_replay": REPLAYS,
    "list_replayed_customers": REPLAYS,
    "list_replays": REPLAYS,
    "get_cost_rules": COST_RULES,
    "set_cost_rules": COST_RULES,
    "list_cost_dependencies": PROFITABILITY,
    "set_llm_price": LEAN_LIST,
    "list_llm_prices": LEAN_LIST,
    "list_llm_price_changes": PROFITABILITY,
    "delete_llm_price": LEAN_LIST,
    "receive_provider_event": PROVIDERS_ONLY,
    "create_api_key": NO_SECRETS,
    "list_api_keys": NO_SECRETS,
    "revoke_api_key": NO_SECRETS,
    "connect_payment_account": NO_SECRETS,
    "list_payment_accounts": SET_UP,
    "get_payment_account": SET_UP,
    "update_payment_account": NO_SECRETS,
    "disconnect_payment_account": SET_UP,
    "get_payment_settings": SET_UP,
    "update_payment_settings": SET_UP,
    "create_connected_account": LEAN_LIST,
    "get_connected_account": LEAN_LIST,
    "list_connected_accounts": LEAN_LIST,
    "get_account_context": LEAN_LIST,
    "start_top_up": "generate_topup_flow starts it",
    **dict.fromkeys(PAGES, PAGE_ONLY),
    "list_refunds": LEAN_LIST,
    "list_disputes": LEAN_LIST,
    "create_portal_session": "the app makes it when its customer clicks",
    "get_account": "get_wallet shows every account",
    "get_authorization": "authorize_usage repeated under the same id answers as it stands",
    "capture_authorization": "record_event with authorization_id captures",
    "get_limit_changes": LEAN_LIST,
    "list_notices": LEAN_LIST,
    "get_clock": "advance_clock by PT0S answers what time it is",
    "create_webhook": WEBHOOKS,
    "list_webhooks": WEBHOOKS,
    "get_webhook": "shows a secret, which no conversation should hold",
    "update_webhook": WEBHOOKS,
    "delete_webhook": WEBHOOKS,
    "send_connected_test": WEBHOOKS,
    "send_connected_test_to": WEBHOOKS,
    "send_test": WEBHOOKS,
    "send_test_to": WEBHOOKS,
    "list_webhook_events": WEBHOOKS,
    "replay_webhook_event": WEBHOOKS,
    "get_asset": "quote_asset shows the rate in force",
    "get_version": "get_product shows the default version, simulate_usage prices any",
    "update_version": "define_price and create_product_version publish",
    "get_vendor": LEAN_LIST,
    "list_vendors": LEAN_LIST,
    "list_subscribers": LEAN_LIST,
    "get_customer_stats": PROFITABILITY,
    "list_customer_stats": PROFITABILITY,
    "get_vendor_stats": PROFITABILITY,
    "list_events": LEAN_LIST,
    "list_grants": LEAN_LIST,
    "get_transaction": LEAN_LIST,
    "create_charge": "create_adjustment debits as well",
    "update_customer": LEAN_LIST,
    "create_subscription": "create_wallet subscribes a customer that exists",
    "update_subscription": LEAN_LIST,
    "update_subscription_product": LEAN_LIST,
    "archive_version": "destructive: left to people until tools can ask for confirmation",
    "delete_product": "destructive: left to people until tools can ask for confirmation",
}


def every_use_case() -> Iterator[str]:
    """Public functions of (billing, command)."""
    for module in pkgutil.iter_modules(use_cases.__path__):
        loaded = importlib.import_module(f"{use_cases.__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            own = function.__module__ == loaded.__name__ and not name.startswith("_")
            if own and list(inspect.signature(function).parameters) == ["billing", "command"]:
                yield name


def named_in(folder: str) -> set[str]:
    """`module.function` wherever a face says it of a module of use cases, by whatever name."""
    named: set[str] = set()
    for path in (ENTRYPOINTS / folder).rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        modules = {
            alias.asname or alias.name
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.module == use_cases.__name__
            for alias in node.names
        }
        named |= {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        }
    return named


def test_every_use_case_is_reachable_over_rest_or_excused() -> None:
    known = set(every_use_case())
    assert len(known) > 30
    assert known - named_in("rest") == set(NOT_OVER_REST)


def test_every_use_case_is_reachable_over_mcp_or_excused() -> None:
    assert set(every_use_case()) - {tool.name for tool in TOOLS} == set(NOT_OVER_MCP)


def test_what_is_excused_as_a_page_is_on_a_page() -> None:
    pages = {name for name, reason in NOT_OVER_REST.items() if reason is PAGE_ONLY}
    assert pages <= named_in("portal")
    assert pages == {name for name, reason in NOT_OVER_MCP.items() if reason is PAGE_ONLY}


def test_the_tools_that_cards_and_skills_name_exist() -> None:
    card = {
        "create_product",
        "define_price",
        "create_wallet",
        "record_event",
        "generate_topup_flow",
    }
    skills = {
        "list_assets",
        "create_asset",
        "quote_asset",
        "add_asset_rate",
        "list_products",
        "get_product",
        "create_product",
        "create_product_version",
        "simulate_usage",
        "create_customer",
        "get_customer",
        "get_wallet",
        "create_adjustment",
        "submit_events",
        "get_event",
        "create_vendor",
    }
    assert card | skills | {"get_top_up", "list_customers"} <= {tool.name for tool in TOOLS}
