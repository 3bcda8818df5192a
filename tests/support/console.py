"""What a page of the docs tells its reader to do: files to save, and commands with what they print."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVED_AS = re.compile(r"[Ss]ave this as `([^`]+)`[^`]*$")
_ELLIPSIS = "…"
_END = "--end-of-command--"


@dataclass(frozen=True)
class File:
    """A file to save: the block after "Save this as `path`"."""

    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a `console` block, after `$ `."""

    text: str
    promised: str
    """What it prints; `…` stands for any text, on a line of its own for any lines."""

    def is_kept(self, printed: str) -> bool:
        """Tell whether what was printed is what the page promises."""
        wanted = "".join(_pattern(line) for line in self.promised.splitlines())
        whole = printed if printed.endswith("\n") or not printed else f"{printed}\n"
        return re.fullmatch(wanted, whole) is not None


def steps(page: str) -> Iterator[File | Command]:
    """Yield the files and commands of a page, in order; blocks without a language are shown and not typed."""
    for block in _FENCE.finditer(page):
        language, text = block.groups()
        if language == "console":
            yield from _commands(text)
        elif language and (named := _SAVED_AS.search(page[: block.start()].rstrip().rpartition("\n\n")[2])):
            yield File(named.group(1), text)


def _commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, promised = part.partition("\n")
        yield Command(command, promised)


def _pattern(line: str) -> str:
    """Return a promised line as a regular expression; columns are as wide as they are."""
    if line.strip() == _ELLIPSIS:
        return r"(?:.*\n)*"
    pieces = (re.sub(r"(\\ )+", " +", re.escape(piece.strip())) for piece in line.split(_ELLIPSIS))
    return f" *{'.*'.join(pieces)} *\n"


class Terminal:
    """A shell in a folder, with a network of its own where the system allows it, so that no port is in use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> None:
        """Start the shell."""
        own_network = await asyncio.create_subprocess_exec("unshare", "-rn", "true", stderr=asyncio.subprocess.DEVNULL)
        prefix = ("unshare", "-rn") if await own_network.wait() == 0 else ()
        self._shell = await asyncio.create_subprocess_exec(
            *prefix, "bash", cwd=self._folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        if prefix:
            await self.type("ip link set lo up")

    async def type(self, command: str) -> str:
        """Run a command; return what it prints."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{command}\necho; echo {_END}\n".encode())
        lines: list[str] = []
        async with asyncio.timeout(60):
            while (line := (await self._shell.stdout.readline()).decode()) != f"{_END}\n":
                assert line, "the shell has ended"
                lines.append(line)
        return "".join(lines).removesuffix("\n")

    async def keeps(self, command: Command, limit_s: float = 60.0) -> None:
        """Run a command until it prints what the page promises: what was asked for a moment ago may take a moment.

        Raises:
            AssertionError: it does not in time.
        """
        deadline = time.monotonic() + limit_s
        while not command.is_kept(printed := await self.type(command.text)):
            assert time.monotonic() < deadline, f"$ {command.text}\npromised:\n{command.promised}\nprinted:\n{printed}"

    async def close(self) -> None:
        """End the shell and what it started."""
        await self.type("kill $(jobs -p); wait")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        await self._shell.wait()
