"""What each scope of an API key opens: every use case needs exactly one of them. No logic.

`perform` asks here, so that REST and MCP agree. A use case that stands nowhere is left to keys
with `admin`: forgetting one closes it.
"""

from __future__ import annotations

from typing import Literal, get_args

Scope = Literal["read", "write", "money", "admin"]

IN_ORDER: tuple[Scope, ...] = get_args(Scope)
ALL_SCOPES = frozenset(IN_ORDER)

_OPENS: dict[Scope, tuple[str, ...]] = {
    # Looking, and asking what something would cost.
    "read": (
        "get_account",
        "get_account_context",
        "get_asset",
        "get_auto_top_up",
        "get_authorization",
        "get_clock",
        "get_connected_account",
        "get_cost_rules",
        "get_customer",
        "get_customer_stats",
        "get_event",
        "get_limit_changes",
        "get_payment_settings",
        "get_margin_decisions",
        "get_product",
        "get_profitability",
        "get_top_up",
        "get_transaction",
        "get_vendor",
        "get_vendor_stats",
        "get_version",
        "get_wallet",
        "list_alerts",
        "list_assets",
        "list_budgets",
        "list_connected_accounts",
        "list_cost_dependencies",
        "list_customer_stats",
        "list_customers",
        "list_disputes",
        "list_events",
        "list_grants",
        "list_llm_price_changes",
        "list_llm_prices",
        "list_notices",
        "list_payment_methods",
        "list_products",
        "list_refunds",
        "list_subscribers",
        "list_unpriced_costs",
        "list_vendors",
        "list_webhook_events",
        "list_webhooks",
        "plan_integration",
        "quote_asset",
        "quote_refund",
        "simulate_usage",
        "verify_integration",
        "verify_ledger",
        "compare_replays",
        "get_replay",
        "list_replayed_customers",
        "list_replays",
        "get_vendor_bill",
        "list_vendor_bills",
        "reconcile_costs",
        "enter_portal",
        "view_checkout",
        "view_portal",
        "view_sandbox",
    ),
    # The catalogue, and who is subscribed to it.
    "write": (
        "add_asset_rate",
        "archive_version",
        "create_alert",
        "create_asset",
        "create_customer",
        "create_portal_session",
        "create_product",
        "create_product_version",
        "create_subscription",
        "create_vendor",
        "create_wallet",
        "define_price",
        "delete_alert",
        "delete_llm_price",
        "delete_product",
        "delete_replay",
        "delete_vendor_bill",
        "import_vendor_bill",
        "replay_pricing",
        "replay_webhook_event",
        "send_connected_test",
        "send_connected_test_to",
        "send_test",
        "send_test_to",
        "set_cost_rules",
        "set_llm_price",
        "update_alert",
        "update_customer",
        "update_subscription",
        "update_subscription_product",
        "update_version",
    ),
    # What moves money or lets it move: usage, holds, credit, payments, limits.
    "money": (
        "add_card_in_portal",
        "add_payment_method",
        "advance_clock",
        "authorize_usage",
        "capture_authorization",
        "choose_card_in_portal",
        "create_adjustment",
        "create_charge",
        "delete_budget",
        "dispute_in_sandbox",
        "extend_authorization",
        "generate_topup_flow",
        "pay_checkout",
        "receive_provider_event",
        "record_event",
        "record_spans",
        "refund_in_sandbox",
        "refund_top_up",
        "release_authorization",
        "remove_card_in_portal",
        "remove_payment_method",
        "reprice_costs",
        "set_auto_top_up",
        "set_auto_top_up_in_portal",
        "set_budget",
        "set_default_payment_method",
        "set_wallet_limits",
        "start_top_up",
        "stop_auto_top_up",
        "stop_auto_top_up_in_portal",
        "step_in_sandbox",
        "submit_events",
        "top_up_in_portal",
        "true_up_costs",
    ),
    # Who else gets in, and who is told what happens: a destination's secret is like a key.
    "admin": (
        "connect_payment_account",
        "create_api_key",
        "create_connected_account",
        "create_webhook",
        "delete_webhook",
        "disconnect_payment_account",
        "get_payment_account",
        "get_webhook",
        "list_api_keys",
        "list_payment_accounts",
        "revoke_api_key",
        "update_payment_account",
        "update_payment_settings",
        "update_webhook",
    ),
}

SCOPE_OF: dict[str, Scope] = {name: scope for scope, names in _OPENS.items() for name in names}


def listed(scopes: frozenset[Scope]) -> list[Scope]:
    """In the order in which they are documented."""
    return [scope for scope in IN_ORDER if scope in scopes]


def scope_of(use_case: str) -> Scope:
    return SCOPE_OF.get(use_case, "admin")
