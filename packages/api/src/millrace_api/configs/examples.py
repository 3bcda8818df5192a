"""The example configurations: the project's `examples`, which the wheel carries along."""

from functools import cache
from pathlib import Path

import msgspec

from millrace_api.configs.models import MODELS

_PACKAGED = Path(__file__).parent.parent / "examples"
_SOURCES = Path(__file__).resolve().parents[5] / "examples"


class Example(msgspec.Struct, frozen=True):
    """An example configuration, as its file has it."""

    name: str
    """The file's name, such as `gatherer.json`."""
    kind: str
    text: str


@cache
def examples() -> tuple[Example, ...]:
    """Return the example configurations of every kind of agent; none where they were not installed."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _SOURCES
    found = (folder / f"{kind}.json" for kind in MODELS)
    return tuple(Example(path.name, path.stem, path.read_text()) for path in found if path.is_file())
