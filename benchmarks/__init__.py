"""Benchmarks: `python -m benchmarks`, or `make bench`. See docs/benchmarks.md for how to read them."""
