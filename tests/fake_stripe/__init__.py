"""A stand-in for Stripe: a program of its own, which Stripe's SDK and CLI talk to over HTTP. It
keeps state as Stripe documents it, and checks what it reads and says against the SDK's types."""
