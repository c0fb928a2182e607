"""Queueing disciplines and filters as netlink messages, to and fro (tc(8)). Pure: no socket, nothing looked up.

A ``Shaper`` is a token bucket at the root of its link; a ``Redirect`` is an ingress qdisc with one filter that matches
everything. Both carry numbers of ours (``plan.shaping``): what else somebody queues or filters on a link is not read,
and is in the way of ours only at the root, where it is replaced. The kernel tells of both with the port of who did it.
"""

import sys

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.decode import ELSEWHERE, Found, Names
from linkwright.kernel.encode_link import Indexes
from linkwright.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Message,
    Request,
    attribute,
    attributes,
    nested,
    number,
    string,
    text,
    u32,
)
from linkwright.plan.resources import Redirect, Shaper
from linkwright.plan.shaping import INGRESS_PREFERENCE, SHAPER_MAJOR, earned, limit, ticks

_HANDLE = SHAPER_MAJOR << 16
_EVERY_PROTOCOL = int.from_bytes(rt.ETH_P_ALL.to_bytes(2), sys.byteorder)  # in network order
_INFO = INGRESS_PREFERENCE << 16 | _EVERY_PROTOCOL
_LARGEST = (1 << 32) - 1

_PUT = NLM_F_CREATE | NLM_F_REPLACE


# --- writing -------------------------------------------------------------------------------------------------


def shape(shaper: Shaper, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what makes the root of its link a token bucket of that rate, whatever it is now."""
    rate = shaper.rate // 8
    # With the link layer said, the kernel reckons itself and needs no table of times by size (psched_ratecfg).
    spec = rt.RATESPEC.pack(0, rt.TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate, _LARGEST))
    waiting = rt.TBF_REST.pack(limit(shaper.rate, shaper.burst), ticks(shaper.rate, shaper.burst), 0)
    parts = [attribute(rt.TCA_TBF_PARMS, spec + bytes(rt.RATESPEC.size) + waiting)]
    parts += [attribute(rt.TCA_TBF_RATE64, rate.to_bytes(8, sys.byteorder))] if rate > _LARGEST else []
    parts.append(u32(rt.TCA_TBF_BURST, shaper.burst))
    return [Request(rt.RTM_NEWQDISC, _PUT, _bucket(indexes.of(shaper.link)) + nested(rt.TCA_OPTIONS, *parts))]


def unshape(shaper: Shaper, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what gives the root of its link back to the kernel, if it is ours."""
    return [Request(rt.RTM_DELQDISC, 0, _bucket(indexes.of(shaper.link)))]


def redirect(wish: Redirect, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what leads all that comes in by its link to where it says."""
    index, to = indexes.of(wish.link), indexes.of(wish.to)
    mirred = rt.MIRRED.pack(0, 0, rt.TC_ACT_STOLEN, 0, 0, rt.TCA_EGRESS_REDIR, to)
    action = nested(rt.TCA_ACT_OPTIONS, attribute(rt.TCA_MIRRED_PARMS, mirred))
    everything = rt.U32_SEL.pack(rt.TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0) + rt.U32_KEY.pack(0, 0, 0, 0)
    options = nested(
        rt.TCA_OPTIONS,
        nested(rt.TCA_U32_ACT, nested(rt.TCA_ACT_TAB, text(rt.TCA_ACT_KIND, "mirred"), action)),
        attribute(rt.TCA_U32_SEL, everything),
    )
    return [
        Request(rt.RTM_NEWQDISC, _PUT, _ingress(index)),  # which may have stayed when only its filter was deleted
        Request(rt.RTM_NEWTFILTER, NLM_F_CREATE, filters_of(index) + text(rt.TCA_KIND, "u32") + options),
    ]


def redirect_anew(wish: Redirect, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what leads elsewhere what was led somewhere: a second filter would come after the first, and never act."""
    old = filters_of(indexes.of(wish.link)) + text(rt.TCA_KIND, "u32")
    return [Request(rt.RTM_DELTFILTER, 0, old), *redirect(wish, indexes)]


def lead_nowhere(wish: Redirect, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what removes the ingress qdisc of its link, with all filters."""
    return [Request(rt.RTM_DELQDISC, 0, _ingress(indexes.of(wish.link)))]


def _bucket(index: int) -> bytes:
    return shaper_of(index) + text(rt.TCA_KIND, "tbf")


def _ingress(index: int) -> bytes:
    return rt.TCMSG.pack(rt.AF_UNSPEC, index, rt.INGRESS_HANDLE, rt.TC_H_INGRESS, 0) + text(rt.TCA_KIND, "ingress")


# --- asking --------------------------------------------------------------------------------------------------


def shaper_of(index: int) -> bytes:
    """Return the body of a question for our qdisc on the link with *index*; the answer is an echo (NLM_F_ECHO)."""
    return rt.TCMSG.pack(rt.AF_UNSPEC, index, _HANDLE, rt.TC_H_ROOT, 0)


def filters_of(index: int) -> bytes:
    """Return the body of a question for our filters on the link with *index*."""
    return rt.TCMSG.pack(rt.AF_UNSPEC, index, 0, rt.INGRESS_HANDLE, _INFO)


#: The body of a question for all qdiscs of all links.
ALL_QDISCS = rt.TCMSG.pack(rt.AF_UNSPEC, 0, 0, 0, 0)


# --- reading -------------------------------------------------------------------------------------------------


def place(message: Message) -> tuple[int, bool]:
    """Return the index of the link that a message of traffic control is about, and whether of what comes in by it."""
    _, index, handle, parent, _ = rt.TCMSG.unpack_from(message.data, message.start)
    return index, rt.INGRESS_HANDLE in {handle & 0xFFFF0000, parent & 0xFFFF0000} and parent != rt.TC_H_ROOT


def shaper(message: Message, names: Names) -> Found | None:
    """Read RTM_NEWQDISC; None for one that is not ours."""
    _, index, handle, parent, _ = rt.TCMSG.unpack_from(message.data, message.start)
    name = names(index)
    if name is None or (handle, parent) != (_HANDLE, rt.TC_H_ROOT):
        return None
    found = attributes(message.data, message.start + rt.TCMSG.size, message.end)
    options = _inside(found.get(rt.TCA_OPTIONS, b""))
    parameters = options.get(rt.TCA_TBF_PARMS, b"")
    if string(found.get(rt.TCA_KIND, b"")) != "tbf" or len(parameters) < 2 * rt.RATESPEC.size + rt.TBF_REST.size:
        return None
    *_, rate = rt.RATESPEC.unpack_from(parameters)
    if rt.TCA_TBF_RATE64 in options:
        rate = number(options[rt.TCA_TBF_RATE64])
    _, count, _ = rt.TBF_REST.unpack_from(parameters, 2 * rt.RATESPEC.size)
    return Found(Shaper(name, 8 * rate, max(1, earned(8 * rate, count)))) if rate else None


def redirection(message: Message, names: Names) -> Found | None:
    """Read RTM_NEWTFILTER; None for one that is not ours, or is the head of a table of such."""
    _, index, _, _, info = rt.TCMSG.unpack_from(message.data, message.start)
    name = names(index)
    if name is None or info != _INFO:
        return None
    found = attributes(message.data, message.start + rt.TCMSG.size, message.end)
    actions = _inside(_inside(found.get(rt.TCA_OPTIONS, b"")).get(rt.TCA_U32_ACT, b""))
    action = _inside(actions.get(rt.TCA_ACT_TAB, b""))
    mirred = _inside(action.get(rt.TCA_ACT_OPTIONS, b"")).get(rt.TCA_MIRRED_PARMS, b"")
    if len(mirred) < rt.MIRRED.size:
        return None
    *_, to = rt.MIRRED.unpack_from(mirred)  # 0 where that link has gone
    return Found(Redirect(name, names(to) or ELSEWHERE if to else ELSEWHERE))


def _inside(payload: bytes) -> dict[int, bytes]:
    return attributes(payload, 0, len(payload))
