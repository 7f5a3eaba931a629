"""Refunds, disputes, and payments that others collect."""
