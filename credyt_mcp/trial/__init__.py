"""Tries an app's billing alive: a server of its own, the app against it, and bad days on purpose.

It is a client and nothing else: it starts processes, and speaks HTTP to them.
"""
