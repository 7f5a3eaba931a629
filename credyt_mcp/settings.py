"""Settings from the environment and a `.env` file. The only file that reads either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from credyt_mcp.errors import Misconfigured

STRIPE_KEY = re.compile(r"(sk|rk)_(test|live)_\w+")


class Settings(BaseSettings):
    """One frozen value, made in cli.py or a test and passed down. There is no global instance."""

    model_config = SettingsConfigDict(
        env_prefix="CREDYT_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: str = Field(
        default="sqlite:///.credyt/credyt.db",
        description="`sqlite:///path` or `postgresql://…`",
    )
    api_key: SecretStr | None = Field(
        default=None,
        description="becomes the first test key of the default account if it is unknown",
    )
    public_url: str = Field(
        default="http://127.0.0.1:8787",
        description="where customers' browsers and the app reach this server",
    )
    event_max_age_days: int = Field(
        default=35, ge=1, description="how far back an event's `occurred_at` may lie"
    )
    event_max_ahead_seconds: int = Field(
        default=300, ge=0, description="how far ahead an event's `occurred_at` may lie"
    )
    top_up_expiry_days: int | None = Field(
        default=365, ge=1, description="life of credit bought by a top-up; empty means for ever"
    )
    checkout_minutes: int = Field(
        default=60, ge=1, description="how long a payment link can be paid"
    )
    webhook_allow_private: bool | None = Field(
        default=None,
        description="whether webhooks may go to addresses that are not public; empty means in the "
        "test environment only",
    )
    webhook_worker: bool = Field(
        default=True,
        description="whether this process sends webhooks, charges what is due and follows up "
        "payments; some process must",
    )
    rate_limit: int = Field(
        default=20_000,
        ge=0,
        description="requests a second that a key may send to one process; 0 means any number",
    )

    secrets_key: SecretStr | None = Field(
        default=None,
        description="key that other services' secrets are sealed with in the database; several, "
        "with commas between, while it is changed: the first seals, all open",
    )

    return_url_hosts: str | None = Field(
        default=None,
        description="hosts that payment pages may lead back to, with commas between; live "
        "payments need them, without any a test environment allows every https host",
    )

    stripe_api_key: SecretStr | None = Field(
        default=None,
        validation_alias="STRIPE_API_KEY",
        description="secret or restricted key of Stripe; a test key takes the payments of the test "
        "environment, a live key those of the live one",
    )
    stripe_webhook_secret: SecretStr | None = Field(
        default=None,
        validation_alias="STRIPE_WEBHOOK_SECRET",
        description="signing secret of the webhook endpoint; several, with commas between, while "
        "it is rolled",
    )
    stripe_api_base: str | None = Field(
        default=None,
        validation_alias="STRIPE_API_BASE",
        description="another address than Stripe's own, with a test key only",
    )

    @field_validator("stripe_api_key", "stripe_webhook_secret", "stripe_api_base", mode="before")
    @classmethod
    def _blank_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("stripe_api_key")
    @classmethod
    def _is_secret_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not STRIPE_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("must be a secret or restricted key: sk_test_…, rk_live_…")
        return key

    @field_validator("stripe_api_base")
    @classmethod
    def _base_is_for_tests(cls, base: str | None, info: ValidationInfo) -> str | None:
        key = info.data.get("stripe_api_key")
        if base is not None and key is not None and "_live_" in key.get_secret_value():
            raise ValueError("may be set with a test key only")
        return base

    @property
    def stripe_environment(self) -> Literal["test", "live"]:
        key = self.stripe_api_key.get_secret_value() if self.stripe_api_key else ""
        return "live" if "_live_" in key else "test"

    @property
    def stripe_webhook_secrets(self) -> list[str]:
        given = self.stripe_webhook_secret
        parts = given.get_secret_value().split(",") if given else []
        return [part.strip() for part in parts if part.strip()]

    @field_validator("top_up_expiry_days", "webhook_allow_private", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def secrets_keys(self) -> list[str]:
        given = self.secrets_key.get_secret_value().split(",") if self.secrets_key else []
        return [key.strip() for key in given if key.strip()]

    @property
    def allowed_hosts(self) -> frozenset[str]:
        hosts = (self.return_url_hosts or "").split(",")
        return frozenset(host.strip().lower() for host in hosts if host.strip())

    @property
    def public_address(self) -> tuple[str, int]:
        """Host and port of `public_url`, as an address to listen on."""
        url = urlsplit(self.public_url)
        return url.hostname or "127.0.0.1", url.port or (443 if url.scheme == "https" else 80)

    @property
    def sqlite_path(self) -> Path | None:
        """The database file, or None when the database is Postgres."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(path) if scheme.startswith("sqlite") else None


def variable(name: str) -> str:
    """The environment variable of a setting: Stripe's go by the names its own tools use."""
    name = name.upper()
    return name if name.startswith("STRIPE_") else f"CREDYT_{name}"


def load_settings() -> Settings:
    """The settings of this process. Raises Misconfigured, which never repeats a value."""
    try:
        return Settings()
    except ValidationError as error:
        said = "; ".join(
            f"{variable('_'.join(map(str, entry['loc'])))}: {entry['msg']}"
            for entry in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Misconfigured(said) from None
