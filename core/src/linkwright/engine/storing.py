"""One change in the kernel and in the store, or in neither."""

from linkwright.engine.applying import Applied, Applying
from linkwright.engine.state import State
from linkwright.model.change import Put, Record


async def store_or_take_back(state: State, applying: Applying, applied: Applied, record: Record) -> None:
    """Make *record* durable and let *applied* stand; if that fails, for whatever reason, leave nothing of either."""
    try:
        await state.commit(Put(record))
    except BaseException:
        await applying.take_back(applied)
        raise
    applying.settle(applied)
