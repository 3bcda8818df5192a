"""What several open pages use at the same time; it is made for the first of them and ends with the last."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _Item:
    def __init__(self, make: Callable[[ExitStack], Any]) -> None:
        with ExitStack() as making:
            self.value = make(making)
            self.ending = making.pop_all()
        self.users = 0


class Shares:
    """Shared objects by key. A key names whose rights an object was made with, if these show in it."""

    def __init__(self) -> None:
        self._items: dict[Hashable, _Item] = {}

    @contextmanager
    def using(self, key: Hashable, make: Callable[[ExitStack], T]) -> Iterator[T]:
        """Return the object of a key; the first user makes it, and what it enters into the stack ends with the last."""
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = _Item(make)
        item.users += 1
        try:
            yield item.value
        finally:
            item.users -= 1
            if not item.users:
                del self._items[key]
                item.ending.close()
