"""Benchmarks: `make bench`. See docs/benchmarks.md for how to read what they print."""
