"""Keeps other services' secrets unreadable in the database and its backups. The key that opens them
comes from the settings and is never stored. The only file that imports cryptography."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from credyt_mcp.errors import Misconfigured

MARK = "sealed:"


class Vault:
    """Seals with the first key, opens with any: put a new key in front to change it."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Raises Misconfigured for what is no key."""
        try:
            self._box = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError:
            raise Misconfigured(
                "CREDYT_SECRETS_KEY is not a list of keys",
                hint="`credyt-mcp secrets key` prints a good one; put commas between several.",
            ) from None

    @property
    def can_seal(self) -> bool:
        return self._box is not None

    def seal(self, text: str) -> str:
        """Raises Misconfigured without a key."""
        return MARK + self._opened().encrypt(text.encode()).decode()

    def seal_if_possible(self, text: str) -> str:
        return self.seal(text) if self.can_seal else text

    def open(self, kept: str) -> str:
        """What was sealed, or was kept as it is because there was no key then.

        Raises Misconfigured without the key that it was sealed with.
        """
        if not kept.startswith(MARK):
            return kept
        try:
            return self._opened().decrypt(kept.removeprefix(MARK)).decode()
        except InvalidToken:
            raise Misconfigured(
                "CREDYT_SECRETS_KEY is not the key that the stored secrets were sealed with",
                hint="Put the key of before behind it, after a comma.",
            ) from None

    def _opened(self) -> MultiFernet:
        if self._box is None:
            raise Misconfigured(
                "CREDYT_SECRETS_KEY is not set, and keys of others are kept sealed only",
                hint="`credyt-mcp secrets key` prints one; set it and keep a copy of it.",
            )
        return self._box


def new_key() -> str:
    return Fernet.generate_key().decode()
