"""One reader that asks for the same thing again and again, over one connection."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.load import Measured
from benchmarks.world import API_KEY


def read(url: str, path: str, seconds: float) -> Measured:
    times: list[float] = []
    failed, ends = 0, time.perf_counter() + seconds
    with closing(HTTPConnection(urlsplit(url).netloc)) as connection:
        while time.perf_counter() < ends:
            started = time.perf_counter()
            connection.request("GET", path, headers={"X-CREDYT-API-KEY": API_KEY})
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            failed += answer.status != 200
    times.sort()
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    return Measured(len(times) / seconds, p50 * 1000, p99 * 1000, failed)
