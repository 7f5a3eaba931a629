"""One realistic body for each operation that takes one, in the order in which a new account would
send them; tests do, so that none of them is wishful. Data only."""

from __future__ import annotations

from typing import Any

APP = {
    "return_url": "https://app.example/account",
    "failure_url": "https://app.example/billing/failed",
}
IMAGE_EVENT = {
    "event_type": "image_generated",
    "subject": "image_39854734",
    "data": {"image_id": "image_39854734", "model": "fast"},
}
IMAGES: dict[str, Any] = {
    "name": "Images",
    "type": "usage_based",
    "billing_model": {"type": "real_time"},
    "usage_calculation": {
        "event_type": "image_generated",
        "usage_type": "unit",
        "source_reference_field": "image_id",
    },
    "pricing": [{"asset": "USD", "values": [{"unit_price": 0.05}]}],
}
TOKENS: dict[str, Any] = {
    "name": "Output tokens",
    "type": "usage_based",
    "billing_model": {"type": "real_time"},
    "usage_calculation": {
        "event_type": "response_completed",
        "usage_type": "volume",
        "volume_field": "output_tokens",
    },
    "pricing": [
        {"asset": "credits", "values": [{"volume_rate": 250, "package_size": 1000000}]},
    ],
}
FREE_CREDITS: dict[str, Any] = {
    "name": "Welcome credits",
    "asset": "credits",
    "amount": 50,
    "purpose": "promotion",
    "lifecycle": {"duration": "month"},
}

PATH_MEANINGS = {
    "asset_code": "code of the asset, in any case",
    "product_id": "product id, or your code",
    "version": "a number, or `default`",
    "customer_id": "customer id, or your external id",
    "subscription_id": "subscription id",
    "account_id": "account name and asset, such as `default:USD`",
    "payment_method_id": "id of the saved card",
    "transaction_id": "the id you gave the adjustment or charge",
    "event_id": "the id you gave the event",
    "authorization_id": "the id you gave the authorization",
    "top_up_id": "top-up id",
    "vendor_id": "vendor id, or your external id",
    "connected_account_id": "connected account's id",
    "payment_account_id": "payment account's id",
    "key_id": "API key's id, which is not the key",
    "replay_id": "replay's id",
    "bill_id": "imported bill's id",
    "webhook_id": "destination's id",
    "alert_id": "alert's id",
    "budget_id": "budget's id",
    "webhook_event_id": "id of the event that was sent",
    "provider": "whose model it is, such as `openai`",
    "model": "the model as the provider names it",
    "topic": "what the event is about, such as `subscription.activated`",
}

PATH_VALUES: dict[str, Any] = {
    "asset_code": "credits",
    "product_id": "image_gen",
    "version": "default",
    "customer_id": "u_18991",
    "account_id": "default:USD",
    "transaction_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "event_id": "9c2c8e3a-7f6b-4f5e-9c1f-2e6b6a4a9f21",
    "authorization_id": "job_8842",
    "vendor_id": "openai",
    "provider": "openai",
    "model": "house-model-1",
    "topic": "subscription.activated",
}
"""Values for the parts of paths that callers choose themselves."""

BODIES: dict[str, dict[str, Any]] = {
    "create_connected_account": {"name": "Corner Shop", "external_id": "shop_17"},
    "create_api_key": {"name": "backend", "scopes": ["read", "money"]},
    "create_webhook": {
        "url": "https://app.example/webhooks/credyt",
        "topics": ["subscription.activated", "balance.low"],
    },
    "update_webhook": {"topics": ["*"]},
    "send_test": {"subscription_id": "sub_01m7ymxtj2f5vs5x5rzr5gprkx"},
    "send_test_to": {"subscription_id": "sub_01m7ymxtj2f5vs5x5rzr5gprkx"},
    "send_connected_test": {"subscription_id": "sub_01m7ymxtj2f5vs5x5rzr5gprkx"},
    "send_connected_test_to": {"subscription_id": "sub_01m7ymxtj2f5vs5x5rzr5gprkx"},
    "create_asset": {
        "code": "credits",
        "name": "Credits",
        "label": "CR",
        "symbol": "⭐",
        "precision": 0,
        "rates": [{"source": "USD", "rate": 0.05}],
    },
    "add_asset_rate": {"source": "USD", "rate": 0.04},
    "quote_asset": {"source": "USD", "amount": 10},
    "create_vendor": {"name": "OpenAI", "external_id": "openai"},
    "set_cost_rules": {"cache_writes": "readers", "failures": "spread"},
    "create_alert": {"metric": "margin", "scope": "each_customer", "threshold": 10},
    "update_alert": {"threshold": 5},
    "set_llm_price": {"input": 1.25, "output": 10, "cache_read": 0.125},
    "create_product": {
        "name": "Image Generation",
        "code": "image_gen",
        "publish": True,
        "prices": [IMAGES],
    },
    "create_product_version": {
        "prices": [IMAGES, TOKENS],
        "entitlements": [FREE_CREDITS],
        "publish": True,
    },
    "update_version": {"make_default": True},
    "simulate_usage": {"events": [{"id": "sim_1", **IMAGE_EVENT}]},
    "create_customer": {
        "name": "Jane Roe",
        "external_id": "u_18991",
        "email": "jane@example.com",
        "metadata": {"plan": "pro"},
        "external_accounts": [{"provider": "stripe", "provider_id": "cus_NffrFeUfNV2Hib"}],
    },
    "update_customer": {"email": "jane.roe@example.com"},
    "create_subscription": {"products": [{"code": "image_gen", "version": 1}], **APP},
    "update_subscription_product": {"version": "default"},
    "create_wallet": {
        "external_id": "u_20417",
        "name": "John Doe",
        "products": ["image_gen"],
        "starting_credit": {"asset": "USD", "amount": 5},
    },
    "create_adjustment": {
        "transaction_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "asset": "USD",
        "amount": 25,
        "reason": "external_topup",
        "description": "Bank transfer",
        "metadata": {"psp": "bank", "reference": "F-2291"},
    },
    "set_budget": {"limit": 10, "window": "day", "user_id": "*"},
    "set_wallet_limits": {"overdraft_limit": 2, "low_balance_threshold": 5},
    "create_charge": {
        "transaction_id": "7b1c2f0e-9d5a-4b57-8f7e-0d1f6f4a2b11",
        "asset": "USD",
        "amount": 4.5,
        "subject": "order_9",
        "description": "Setup fee",
    },
    "authorize_usage": {
        "id": "job_8842",
        "customer_id": "u_18991",
        "event_type": "image_generated",
        "data": {"model": "fast"},
        "expires_in": 600,
    },
    "extend_authorization": {"amount": 0.1, "expires_in": 900},
    "capture_authorization": {
        "event": {"id": "c4dd9f41-3c1e-4d0e-8d57-2b0f9f9d7a10", **IMAGE_EVENT}
    },
    "submit_events": {
        "customer_id": "u_18991",
        "events": [
            {
                "id": "9c2c8e3a-7f6b-4f5e-9c1f-2e6b6a4a9f21",
                **IMAGE_EVENT,
                "costs": [
                    {
                        "id": "68116730-6a55-4b32-9f0a-cf1f0c0e7d32",
                        "vendor_external_id": "openai",
                        "category": "inference",
                        "amount": 0.016,
                        "currency": "USD",
                    }
                ],
            }
        ],
    },
    "start_top_up": {
        "customer_id": "u_18991",
        "amount": 25,
        "currency": "USD",
        "description": "Credits",
        "destination": {"asset": "credits"},
        "metadata": {"order_id": "o_1"},
        **APP,
    },
    "replay_pricing": {
        "product_id": "image_gen",
        "define": [{"event_type": "image_generated", "unit_price": 0.06}],
        "max_rise": 25,
        "target_margin": 70,
    },
    "add_payment_method": APP,
    "set_auto_top_up": {
        "threshold": 5,
        "amount": 20,
        "daily_count": 2,
        "monthly_limit": 200,
        "consent": {
            "text": "Charge my card USD 20 whenever I have less than USD 5; USD 200 a month.",
            "version": "2026-11",
        },
    },
    "refund_top_up": {"quoted": 25, "amount": 5, "reason": "Asked for by the customer"},
    "import_vendor_bill": {
        "name": "costs of November",
        "document": {
            "object": "page",
            "data": [
                {
                    "object": "bucket",
                    "start_time": 1795046400,
                    "end_time": 1795132800,
                    "results": [
                        {
                            "object": "organization.costs.result",
                            "amount": {"value": 0.0125, "currency": "usd"},
                            "line_item": "gpt-5-2025-08-07, input",
                            "quantity": 10000,
                        }
                    ],
                }
            ],
            "has_more": False,
        },
    },
    "true_up_costs": {"period_from": "2026-11-01", "period_to": "2026-11-30"},
    "create_portal_session": {"customer_id": "u_18991", **APP},
    "update_subscription": {"status": "inactive"},
    "advance_clock": {"advance_by": "P1D"},
    "update_payment_settings": {
        "return_url_hosts": ["app.example"],
        "top_up_limits": {"USD": {"min": 5, "max": 500}},
        "invoices": True,
    },
    "connect_payment_account": {
        "secret_key": "rk_test_51NffrFeUfNV2HibExample",
        "webhook_secrets": ["whsec_3fa85f6457174562b3fc2c963f66afa6"],
    },
    "update_payment_account": {
        "webhook_secrets": ["whsec_3fa85f6457174562b3fc2c963f66afa6", "whsec_7b1c2f0e9d5a4b57"]
    },
}
