"""Answers that prove nothing, whatever was asked."""

from typing import Final

from libs.exchange.tests.answers.reply import Reply

_HTML: Final = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>7</body></html>"

PROVE_NOTHING: Final[dict[str, Reply]] = {
    "a page": Reply(_HTML, content_type="text/html"),
    "a page said to be JSON": Reply(_HTML),
    "nothing": Reply(),
    "nothing, as text": Reply(content_type="text/plain"),
    "blanks": Reply(b" \r\n "),
    "an empty object": Reply(b"{}"),
    "a list of an empty object": Reply(b"[{}]"),
    "a list of nothing": Reply(b"[null]"),
    "a list of lists": Reply(b"[[]]"),
    "a list of numbers": Reply(b"[1,2]"),
    "null": Reply(b"null"),
    "a number": Reply(b"7"),
    "a text": Reply(b'"ok"'),
    "true": Reply(b"true"),
    "a cut object": Reply(b'{"code":"0","data":[{"ordId":"123'),
    "a cut list": Reply(b'[{"symbol":"BTCUSDT","orderId":12'),
    "two objects": Reply(b'{"orderId":1}{"orderId":2}'),
    "not UTF-8": Reply(b'{"orderId":"\xff\xfe"'),
    "broken gzip": Reply(b"\x1f\x8b\x08\x00garbage", headers="Content-Encoding: gzip\r\n"),
    "a body cut by the connection": Reply(b'{"orderId":1', announced=400),
    "the end of the connection": Reply(hangs_up=True),
    "the time of the exchange": Reply(b'{"serverTime":1700000000000}'),
    "a truth": Reply(b'{"success":true}'),
    "an id that is an object": Reply(
        b'{"id":{},"orderId":{},"order_id":{},"result":{"orderId":{}},"data":{"orderId":{}}}'
    ),
    "an id that is null": Reply(b'{"id":null,"orderId":null,"order_id":null,"symbol":null}'),
    "a page under 500": Reply(_HTML, 500, "text/html"),
    "nothing under 502": Reply(b"", 502),
    "an empty object under 503": Reply(b"{}", 503),
    "a page under 504": Reply(_HTML, 504, "text/html"),
    "a proxy's page under 403": Reply(_HTML, 403, "text/html"),
    "a proxy's page under 401": Reply(_HTML, 401, "text/html"),
    "a proxy's page under 404": Reply(_HTML, 404, "text/html"),
    "a proxy's page under 407": Reply(_HTML, 407, "text/html"),
}
