"""Values of metrics in words, with the unit of their kind."""

from __future__ import annotations

from flagconsole.domain.metric import MetricKind


def quantity(kind: MetricKind, value: float | None) -> str:
    """``0.31 %``, ``+12.0 %``, ``812 ms``, ``41 µs``, ``2``; ``–`` where nothing was measured."""
    if value is None:
        return "–"
    match kind:
        case MetricKind.RATIO:
            return f"{value * 100:.2f} %"
        case MetricKind.CHANGE:
            return f"{value * 100:+.1f} %"
        case MetricKind.LATENCY:
            return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms" if value >= 1 else f"{value * 1000:.3g} µs"
        case MetricKind.COUNT | MetricKind.GAUGE:
            return f"{value:.4g}"


def exact_quantity(kind: MetricKind, value: float) -> str:
    """A limit as a plan means it, without rounding to what a measurement is told with: ``2 %``, ``+15 %``, ``800 ms``."""
    match kind:
        case MetricKind.RATIO:
            return f"{value * 100:.6g} %"
        case MetricKind.CHANGE:
            return f"{value * 100:+.6g} %"
        case MetricKind.LATENCY:
            return f"{value:.6g} ms"
        case MetricKind.COUNT | MetricKind.GAUGE:
            return f"{value:.6g}"
