"""How figures are written: a line each, medians in milliseconds, and the ratio to what they are held against."""

import statistics


def ms(seconds: list[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(seconds) * 1000


def mean_ms(seconds: list[float]) -> float:
    """The mean in milliseconds."""
    return statistics.fmean(seconds) * 1000


def p99_ms(seconds: list[float]) -> float:
    """What one in a hundred exceeds, in milliseconds."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98] * 1000


def head(title: str, unit: str = "ms (p50)") -> None:
    """Begin a table."""
    print(f"\n{title:66} {unit:>10} {'ratio':>8}")


def line(what: str, figure: float, ratio: float | None = None) -> None:
    """Write one figure; no ratio for what others are held against."""
    print(f"{what:66} {figure:10.2f} {'' if ratio is None else f'{ratio:.2f}':>8}", flush=True)
