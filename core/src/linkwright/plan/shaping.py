"""How fast a link is, in the terms of tc(8): the arithmetic of a token bucket (tc-tbf(8)). Pure.

What the kernel is told and what a plan shows are made from the same numbers here.
"""

#: The handle of every queueing discipline of ours, by which it is told from others': "lw" in ASCII.
SHAPER_MAJOR = 0x6C77
#: The preference of the filter that redirects: likewise.
INGRESS_PREFERENCE = 0x6C77
#: How long a packet may wait for its turn, in milliseconds; what would wait longer is dropped.
LATENCY_MS = 50

#: What a frame has beside its payload: two hardware addresses, a type, one tag (IEEE 802.3, 802.1Q).
FRAME_OVERHEAD = 14 + 4
#: One of the kernel's ticks in nanoseconds (PSCHED_SHIFT in net/pkt_sched.h).
TICK = 64


def limit(rate: int, burst: int) -> int:
    """Return how many bytes may wait, as tc(8) reckons: what is sent in ``LATENCY_MS``, and a burst."""
    return min(rate // 8 * LATENCY_MS // 1000 + burst, (1 << 32) - 1)


def ticks(rate: int, burst: int) -> int:
    """Return in how many ticks *burst* bytes are earned at *rate* bits per second."""
    return burst * 10**9 // (rate // 8) // TICK


def earned(rate: int, count: int) -> int:
    """Return how many bytes are earned in *count* ticks at *rate* bits per second, to the nearest."""
    return (count * TICK * (rate // 8) + 10**9 // 2) // 10**9
