"""What the write lane measures about itself, for /metrics and /healthz."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from credyt_mcp.errors import CredytError

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class LaneMetrics:
    """Each running system has its own registry, so that several can live in one process."""

    def __init__(self, queue_depth: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        depth = Gauge("credyt_lane_queue_depth", "Commands waiting", registry=registry)
        depth.set_function(queue_depth)
        self.batch_size = Histogram(
            "credyt_lane_batch_commands",
            "Commands committed together",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=registry,
        )
        self.commit = Histogram(
            "credyt_lane_commit_seconds",
            "Time of COMMIT",
            buckets=_SECONDS,
            registry=registry,
        )
        self.commands = Counter(
            "credyt_lane_commands",
            "Commands by outcome: done, refused (an expected answer) or failed",
            ["outcome"],
            registry=registry,
        )
        self.replays = Counter(
            "credyt_lane_replays", "Batches that failed and were replayed", registry=registry
        )

    def count(self, errors: Iterable[BaseException | None]) -> None:
        """Count a batch's commands by the error each was answered with, if any."""
        for outcome, number in Tally(_outcome(error) for error in errors).items():
            self.commands.labels(outcome).inc(number)


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "refused" if isinstance(error, CredytError) else "failed"
