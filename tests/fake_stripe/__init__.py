"""A stand-in for Stripe: a program of its own, which Stripe's SDK talks to over HTTP."""
