"""`millrace publish`: publish a text on a channel; a request to trade is checked first, and its answer shown."""

import asyncio
import contextlib
from typing import Annotated, NamedTuple

import msgspec
import typer

from millrace_bus import Bus, Update
from millrace_cli.options import AsJson, RedisUrl
from millrace_cli.running import CommandFailed, connected, run_short
from millrace_core.errors import MalformedRequest
from millrace_core.exact_json import without_exponents
from millrace_core.ids import new_request_id
from millrace_core.messages import Response, encode
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant, tenant_or_none, trader_actions
from millrace_core.requests import Request, action_of, parse_request, symbol_of
from millrace_service.settings import DEFAULT_REDIS_URL

ALL_EXCHANGES = ExchangeId("all")
"""The exchange in the name of the answer to a halt of all exchanges."""


class Published(NamedTuple):
    """What became of a text."""

    receivers: int
    response: Response | None = None


def add_command(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command("publish")
    def publish_command(
        channel: Annotated[str, typer.Argument(help="Channel, such as StrankaXY.traderActions.")],
        text: Annotated[str, typer.Argument(help="Text to publish; - for standard input.")],
        wait: Annotated[
            float, typer.Option(min=0.0, help="Seconds to wait for the answer to a request to trade; 0 for none.")
        ] = 5.0,
        redis_url: RedisUrl = DEFAULT_REDIS_URL,
        as_json: AsJson = False,
    ) -> None:
        """Publish a text on a channel. On TENANT.traderActions it is a request to trade: it is checked, then answered.

        Example: millrace publish StrankaXY.traderActions '{"action":"cancelAllOrders","exchangeId":"binance"}'
        """
        if text == "-":
            text = typer.get_text_stream("stdin").read()
        found = run_short(publish(redis_url, channel, text, wait), as_json=as_json)
        if as_json:
            typer.echo(without_exponents(encode({"receivers": found.receivers, "response": found.response})))
        else:
            typer.echo(f"{found.receivers} received it" if found.response is None else _described(found.response))
        if found.response is not None and found.response.status != "done":
            raise typer.Exit(1)


async def publish(redis_url: str, channel: str, text: str, wait_s: float) -> Published:
    """Publish a text; return who received it, and of a request to trade the answer.

    Raises:
        CommandFailed: nobody received it, a request is malformed, or no answer came in time.
        Unreachable: Redis does not answer.
    """
    tenant = tenant_or_none(channel.removesuffix(trader_actions(Tenant(""))))
    if tenant is None or channel != trader_actions(tenant):
        async with connected(redis_url, "publish") as bus:
            return Published(await _publish(bus, channel, text))
    request = _request(text)
    async with connected(redis_url, "publish") as bus:
        return await _trade(bus, tenant, request, text, wait_s)


async def _trade(bus: Bus, tenant: Tenant, request: Request, text: str, wait_s: float) -> Published:
    channel = trader_actions(tenant)
    if not wait_s:
        return Published(await _publish(bus, channel, text))
    request_id = request.request_id or new_request_id()
    if request.request_id is None:
        # Into the text as it was typed: to encode it anew might change the digits of its numbers.
        text = f'{{"requestId":"{request_id}",{text.strip()[1:]}'
    answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def take(update: Update) -> None:
        if update.kind != "response":
            return
        with contextlib.suppress(msgspec.ValidationError):
            response = msgspec.convert(update.data, Response)
            if response.request_id == request_id and response.status != "unknown" and not answered.done():
                answered.set_result(response)

    followers = [bus.follow(place, take) for place in _answers(tenant, request).answer_places]
    try:
        for follower in followers:
            await follower.ready()
        receivers = await _publish(bus, channel, text)
        async with asyncio.timeout(wait_s):
            return Published(receivers, await answered)
    except TimeoutError as error:
        raise CommandFailed(
            f"no final answer within {wait_s:g} s; the request may be carried out all the same: see `millrace orders "
            f"--tenant {tenant}`, and repeat it only with its requestId {request_id}"
        ) from error
    finally:
        for follower in followers:
            await follower.close()


def _request(text: str) -> Request:
    try:
        return parse_request(text.encode())
    except MalformedRequest as error:
        raise CommandFailed("this is no request to trade; nothing was sent", error.problems) from error


def _answers(tenant: Tenant, request: Request) -> StreamName:
    symbol = symbol_of(request)
    exchange = ALL_EXCHANGES if request.exchange_id is None else ExchangeId(request.exchange_id)
    return StreamName(tenant, exchange, Action(action_of(request)), None if symbol is None else Symbol(symbol))


async def _publish(bus: Bus, channel: str, text: str) -> int:
    if receivers := await bus.publish(channel, text):
        return receivers
    hint = "start the service that follows it: `millrace status` shows which run"
    if channel.startswith("stream.config."):
        agent = channel.removeprefix("stream.config.")
        hint = f"this is the key of a configuration: millrace config put {agent} FILE"
    raise CommandFailed(f"nobody listens on {channel}, so nothing was done; {hint}")


def _described(response: Response) -> str:
    error = f": {response.error.kind}: {response.error.message}" if response.error else ""
    orders = [response.order] if response.order else response.orders or []
    lines = [
        f"  order {order.id} {order.symbol or ''} {order.side or ''} {order.status or ''}".rstrip() for order in orders
    ]
    return "\n".join((f"{response.status}{error}", *lines))
