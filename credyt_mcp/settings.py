"""Settings from the environment and a `.env` file. The only file that reads either."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from credyt_mcp.errors import Misconfigured


class Settings(BaseSettings):
    """One frozen value, made in cli.py or a test and passed down. There is no global instance."""

    model_config = SettingsConfigDict(
        env_prefix="CREDYT_", env_file=".env", extra="ignore", frozen=True
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
        default=True, description="whether this process sends webhooks; some process must"
    )
    rate_limit: int = Field(
        default=20_000,
        ge=0,
        description="requests a second that a key may send to one process; 0 means any number",
    )

    return_url_hosts: str | None = Field(
        default=None,
        description="hosts that payment pages may lead back to, with commas between; live "
        "payments need them, without any a test environment allows every https host",
    )

    @field_validator("top_up_expiry_days", "webhook_allow_private", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

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


def load_settings() -> Settings:
    """The settings of this process. Raises Misconfigured, which never repeats a value."""
    try:
        return Settings()
    except ValidationError as error:
        said = "; ".join(
            f"CREDYT_{'_'.join(map(str, entry['loc'])).upper()}: {entry['msg']}"
            for entry in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise Misconfigured(said) from None
