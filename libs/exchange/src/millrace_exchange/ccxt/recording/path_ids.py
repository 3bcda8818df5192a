"""Ids in the path of a URL: ccxt puts them there as they are, whatever they hold.

So an order's id that a request names, such as `cancelAll` or `../orders`, could lead to another endpoint of the
exchange than the one that was meant.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ccxt.base.errors import BadRequest

_NAMES: Final = re.compile(r"\{([\w-]*(?:id|Id|ID|ids))\}")
_PATH_PART: Final = re.compile(r"(?!\.+$)[^\s/?#%\\]+", re.ASCII)


class PathIds:
    """Methods of ccxt's `Exchange`, to be laid over it."""

    _words: frozenset[str] | None = None

    def implode_params(self, string: str, params: Any) -> Any:
        """Put parameters into a URL; an id only if it is one part of the path, and no word of the exchange's own paths.

        Raises:
            BadRequest: there can be no such id.
        """
        for name in _NAMES.findall(string) if isinstance(params, Mapping) else ():
            text = str(params.get(name))
            if not _PATH_PART.fullmatch(text) or text.lower() in self._path_words():
                raise BadRequest(f"{name} {text!r} is no id: it would lead to another endpoint of the exchange")
        return super().implode_params(string, params)  # type: ignore[misc]

    def _path_words(self) -> frozenset[str]:
        if self._words is None:
            paths = _paths(self.api)  # type: ignore[attr-defined]
            self._words = frozenset(word.lower() for path in paths for word in path.split("/") if "{" not in word)
        return self._words


def _paths(tree: Any) -> Iterator[str]:
    """Return every path in ccxt's table of endpoints, and the names that group them."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, Mapping):
            yield from node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
