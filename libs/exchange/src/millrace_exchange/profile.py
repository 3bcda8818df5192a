"""Everything specific to one exchange, as a frozen value.

Each exchange has a file in `millrace_exchange.profiles` that holds nothing but its `PROFILE`. Code that behaves
differently on two exchanges reads a field here; it never compares an exchange's id. Each field's docstring says what
it means; the file of an exchange says where the fact comes from, and `unverified` names the fields whose value is an
assumption.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from millrace_core.names import ExchangeId
from millrace_exchange.misread_events import MisreadEvents
from millrace_exchange.order_ids import (
    LEAST_PAGE,
    ClientOrderIds,
    IdScopes,
    ListAnswers,
    OpenOrderPages,
    RequiredFields,
)

PUBLIC_ACTIONS: Final = frozenset({"fetchOHLCV", "fetchOrderBook", "fetchTicker", "fetchTrades", "loadMarkets"})
"""Actions that need no key; exchanges limit them by IP."""


FrameNumbers = Literal[
    "event_range",
    "sequence_range",
    "update_id",
    "update_range",
    "version_range",
    "previous_sequence",
    "book_sequence",
    "connection_sequence",
]
"""Forms of numbered frames that the adapter compares itself: `event_range`: `U` to `u` of an event, where ccxt finds
gaps, and the adapter only that a book is numbered anew; `sequence_range`: `sequenceStart` to `sequenceEnd`;
`update_id`: `u` of a book; `update_range`: `U` to `u`; `version_range`: `fromVersion` to `toVersion`;
`previous_sequence`: `seqNum` after `prevSeqNum`; `book_sequence`: `s` of a book; `connection_sequence`: `sequence_num`
of a connection."""

ChecksumForm = Literal["padded_decimals", "signed_pairs"]
"""Forms of checksums that the adapter computes itself: `padded_decimals`: of the best 10, asks first, the digits of the
market's own precision, in the frame that they prove; `signed_pairs`: of the best 25, bid and ask in turn, in a frame of
its own after those that it proves."""

NativeFeed = Literal["binance_spot", "kucoin_spot"]
"""The feeds of `millrace_exchange.native`."""

BookProof = Literal["sequence", "checksum", "none"]
"""Proof that a book is complete: numbered frames, a checksum over its best levels, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRules:
    """How the exchange sends order books."""

    proof: BookProof = "none"
    checked_by: Literal["ccxt", "millrace", "nobody"] = "nobody"
    """The code that checks the numbers or the checksum."""
    frame_numbers: FrameNumbers | None = None
    """The form of the numbers that the adapter looks at, where `proof` is `sequence`; None where ccxt alone does."""
    checksum_form: ChecksumForm | None = None
    """The form of the checksum, where `checked_by` is `millrace` and `proof` is `checksum`."""
    proved_levels: int | None = None
    """Levels a side that the proof covers; None for all."""
    ccxt_options: Mapping[str, Any] = field(default_factory=dict)
    """ccxt `options` that its own check needs, merged below an account's."""
    whole_frames: bool = False
    """Whether every frame is the whole book, so that a lost one makes nothing wrong."""
    whole_frame_limits: frozenset[int] = frozenset()
    """Depths at which every frame is the whole book, where it is not at others."""
    snapshot_levels: int | None = None
    """Levels a side that a snapshot covers; None for the whole book."""
    whole_with_keys: bool = False
    """Whether a snapshot covers the whole book if the account has keys and no depth is asked for."""
    stream_levels: int | None = None
    """Levels a side that the stream keeps up to date when no depth is asked for; None for the whole book. A snapshot of
    fewer levels has an edge beyond which nothing is known."""
    limits: frozenset[int] = frozenset()
    """Depths that may be asked for; empty for any."""
    snapshot_limits: frozenset[int] = frozenset()
    """Depths that a snapshot may be asked for; empty for any."""
    unsubscribes: bool = False
    """Whether ccxt can end the subscription, so that the next one begins with a snapshot."""
    fetches_snapshot: bool = False
    """Whether ccxt fetches a snapshot when it knows no book while the stream goes on: then a book that misses a frame
    is renewed without a new subscription."""

    def snapshot_limit(self, limit: int | None) -> int | None:
        """Return the least depth to ask for, so that a snapshot has so many levels; None for the exchange's default."""
        if limit is None or not self.snapshot_limits:
            return limit
        return min((each for each in self.snapshot_limits if each >= limit), default=None)

    def unproved(self, limit: int | None) -> str | None:
        """Return why nothing proves a book of this depth complete; None if something does."""
        if self.whole_frames or limit in self.whole_frame_limits:
            return None
        if self.checked_by == "nobody":
            return "nothing that the exchange sends proves the book complete"
        levels = self.stream_levels if limit is None else limit
        if self.proved_levels is not None and (levels is None or levels > self.proved_levels):
            return f"the exchange's checksum covers the best {self.proved_levels} levels only"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryWindow:
    """Limits of one query of the past."""

    reach_ms: int | None = None
    """How far back the answer may begin; None if there is no limit."""
    width_ms: int | None = None
    """Longest time range of one answer; None if only `page` limits it."""
    page: int = LEAST_PAGE
    """Most rows in one answer."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Further parameters of the question, such as the `page` where ccxt names it as the exchange does not."""
    full_page: Literal["newest", "unknown"] = "unknown"
    """Which rows of the time range a full answer holds: the rest is in shorter ranges. Where it is unknown and the
    exchange takes no end, it holds the oldest."""

    def starts(self, since_ms: int, now_ms: int) -> list[int]:
        """Return the times from which to ask, oldest first, so that the answers together reach from then until now."""
        first = since_ms if self.reach_ms is None else max(since_ms, now_ms - self.reach_ms)
        if self.width_ms is None:
            return [first]
        return [first, *range(first + self.width_ms, now_ms, self.width_ms)]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Queries of the past."""

    own_trades: HistoryWindow = HistoryWindow()
    closed_orders: HistoryWindow = HistoryWindow()
    public_trades: HistoryWindow = HistoryWindow()
    answers_public_trades: bool = True
    """Whether ccxt's `fetch_trades` returns a market's trades; else it returns those of an account."""
    public_trades_params: Mapping[str, Any] = field(default_factory=dict)
    """ccxt parameters that make `fetch_trades` return the same trades, under the same ids, as the stream."""
    public_trades_id: str | None = None
    """Field of the answer with the id that a trade has in the stream, where ccxt's `fetch_trades` has none."""
    public_trades_again_s: float | None = None
    """How soon after a public trade to ask for others that the stream may have lost, where nothing shows that and
    asking is cheap; None where gaps show themselves, or asking is not cheap."""
    candles_again_s: float | None = None
    """How often candles that ended are asked for again, where asking is cheap: nothing shows that the stream lost their
    last trades; None where it is not cheap."""
    public_trades_after_id: bool = False
    """Whether public trades can be asked for from a trade id on (with a key)."""
    public_trades_after_params: Mapping[str, Any] = field(default_factory=dict)
    """ccxt parameters of that question, to which the id is added as `fromId`."""


CONNECT: Final = "connect"
"""The action of opening a socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit of requests: at most `weight` in `window_ms`."""

    name: str
    """The exchange's own name of it, such as `REQUEST_WEIGHT`."""
    scope: Literal["ip", "account"]
    weight: int
    window_ms: int
    counts: Literal["weight", "requests"] = "weight"
    """Whether a request counts by its weight or as one."""
    actions: frozenset[str] = frozenset()
    """The actions that it counts; empty for all, of an account's limit for all that need a key."""
    used_header: str | None = None
    """Header of every answer that says how much the exchange has counted in the current window."""
    remaining_header: str | None = None
    """The same for what is left."""
    limit_header: str | None = None
    """The same for the limit itself. A number that is not `weight` shows that the answer speaks of another limit."""
    error_code: str | None = None
    """Code of a refusal that concerns this limit alone; any other refusal concerns the address."""

    def counts_action(self, action: str) -> bool:
        """Tell whether it counts an action."""
        if self.actions:
            return action in self.actions
        return self.scope == "ip" or action not in PUBLIC_ACTIONS | {CONNECT}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Request limits of the exchange, and the pause after it refused a request."""

    limits: tuple[RateLimit, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    """Weight of one request by ccxt's unified action, such as `createOrder`; 1 where not named, 0 of a socket."""
    weight_per_cost: int | None = None
    """Weight of a cost of 1 in ccxt's table of endpoints; None if the costs stand for no weight, so that ccxt paces
    each endpoint by itself."""
    reset_ms_header: str | None = None
    """Header of a refusal that says, in ms, how long to wait. `Retry-After` needs no mention: it is always obeyed."""
    ban_ms: int = 10_000
    """Pause after a refusal that names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLimits:
    """Longest silence of a stream until its usual one is known, ms; None if it proves nothing. Chosen by millrace."""

    order_book_ms: int | None = 30_000
    trades_ms: int | None = None
    ticker_ms: int | None = None


@dataclass(frozen=True, slots=True)
class FeeFields:
    """Fields of the exchange's own record of a trade or an order that say what was charged in each currency."""

    rows: str = ""
    """Field with a list of fees, or with an object of them by currency; empty if the record itself has the fee."""
    currency: str = ""
    """Field of a fee's currency; empty if the fees stand by currency."""
    cost: str = ""
    """Field of what was charged; empty if that alone stands by currency."""
    is_negative: bool = False
    """Whether a number below zero was charged, and one above zero is a rebate."""


Outcome = Literal["retryable", "rejected", "unknown", "fatal"]
"""Classification of an error: see `millrace_exchange.errors`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """A code of the exchange with a definite meaning, whatever class ccxt maps it to.

    Needed only where ccxt's class is wrong or too vague.
    """

    code: str
    """As it stands in the exchange's answer, such as `-2022`."""
    outcome: Outcome
    why: str
    """The exchange's own words for it."""
    actions: frozenset[str] = frozenset()
    """The actions that it holds for; empty for all."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Values required beside the code, by path, such as `{"data.cancelResult": "SUCCESS"}`. The first rule that
    fits applies, so rules with conditions stand before those without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKind:
    """How ccxt learns of what kind an account is, where an exchange has two at different places."""

    method: str
    """ccxt's method that asks for it, once."""
    options: tuple[str, ...]
    """ccxt's options that keep what it learnt: true or false."""
    fields: frozenset[str] = frozenset()
    """Fields that the answers have."""
    words: frozenset[str] = frozenset()
    """What the answer may be, where it is a mere text."""
    refusals: frozenset[str] = frozenset()
    """The exchange's codes of refusals that say it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeProfile:
    """Everything specific to one exchange."""

    exchange: ExchangeId
    """Its ccxt id."""
    aliases: frozenset[ExchangeId] = frozenset()
    """Other ccxt ids of the same platform, for which all of this holds."""
    native_feed: NativeFeed | None = None
    """The feed that brings its streams without ccxt, unless an account chooses ccxt; None where ccxt alone does."""
    client_order_ids: ClientOrderIds = field(default_factory=ClientOrderIds)
    ids: IdScopes = field(default_factory=IdScopes)
    lists: ListAnswers = field(default_factory=ListAnswers)
    required: RequiredFields = field(default_factory=RequiredFields)
    misread: MisreadEvents = field(default_factory=MisreadEvents)
    """What ccxt misreads in the events of an account's orders and trades."""
    aliased_channels: frozenset[str] = frozenset()
    """Public channels in which a market may come under the name of one that shares its book (ccxt's `alias`)."""
    book: BookRules = BookRules()
    history: History = History()
    open_orders: OpenOrderPages = field(default_factory=OpenOrderPages)
    edit: Literal["amend", "cancel_replace", "unsupported", "unknown"] = "unknown"
    """What ccxt's `edit_order` does: `amend` keeps the order; `cancel_replace` cancels it and makes a new one."""
    edit_amount: Literal["total", "remaining", "left_out", "unknown"] = "unknown"
    """What the amount of an edit means: `total`, the whole order with what is filled; `remaining`, the rest.
    `left_out`: it is not to be relied on, and an edit of the price needs none. `unknown`: there are no edits."""
    edit_if_unfilled: Mapping[str, Any] = field(default_factory=dict)
    """Parameters with which ccxt's `edit_order` replaces an order only if nothing of it was filled. Without, an order
    whose replacement has the remaining amount is canceled before the other is created."""
    reduces: bool = False
    """Whether an order can be amended to a smaller amount at the same price, by Binance's request for that."""
    best_prices_number: str | None = None
    """Field of an event of the best prices with its number, which grows, where it has no time."""
    order_statuses: Mapping[str, Literal["canceled", "rejected", "expired"]] = field(default_factory=dict)
    """What the first word of an order's status means, where ccxt does not know it: an order that ended for a reason of
    its own would stay open."""
    numbered_sides: Mapping[str, Literal["buy", "sell"]] = field(default_factory=dict)
    """What the number in the field `side` of the exchange's own record of an order or an own trade means, where ccxt
    does not know it or takes it for another's."""
    kind_field: str | None = None
    """Field of the exchange's own record with the type of an order, where ccxt's does not tell a stop from a profit."""
    kept_fields: tuple[str, ...] = ()
    """Fields of that record which are parameters of a replacement too, and would be lost otherwise."""
    order_list_field: str | None = None
    """Field of that record with the id of the list that an order belongs to, -1 for none: whatever cancels one order of
    a list cancels the others, which an edit does not name."""
    prevented_field: str | None = None
    """Field of that record with how much of an order's amount was taken off it to prevent self-trades."""
    edit_client_order_id: Literal["new", "existing", "none"] = "none"
    """What ccxt's `edit_order` takes our id for: that of the new order, a name of the order to be changed, or nothing
    (then leave it out)."""
    order_parameters: Mapping[str, str] = field(default_factory=dict)
    """The exchange's own names of ccxt's unified parameters of an order, where ccxt would send both."""
    quote_amounts: frozenset[Literal["buy", "sell"]] = frozenset()
    """Sides of a market order that may be sized in quote currency; on others ccxt sends that as an amount of base."""
    quote_amounts_of_contracts: bool = False
    """Whether that holds for contracts; elsewhere it does on spot alone."""
    spot_buys_by_cost: bool = False
    """Whether a market buy on spot is sized by what it may cost alone: ccxt makes a cost of an amount of base, by the
    price that the sender expects."""
    spot_units: Mapping[Literal["base", "quote"], Mapping[str, str]] = field(default_factory=dict)
    """Parameters that say in which currency a market order on spot is sized, where ccxt leaves that to the exchange or
    to an account's options."""
    cancels_all_of_symbol: bool = False
    """Whether ccxt's `cancel_all_orders` cancels one symbol's orders alone. Elsewhere each is canceled by its id."""
    trigger_orders: bool = False
    """Whether an order with a trigger price is placed, found, changed and canceled as any other order is."""
    reduce_only_orders: bool = True
    """Whether ccxt places an order that only reduces a position. Where it does not, it closes the whole position."""
    free_parameters: frozenset[str] = frozenset()
    """What a request may add in `params`: nothing that changes size, price, kind, account or endpoint of the order, and
    nothing that ccxt would send under a name which the exchange does not know, and would ignore."""
    post_only_type: str | None = None
    """The order type that is post-only by itself on spot, where ccxt would send its parameter `postOnly` along with
    it."""
    amends_to_taking: bool = False
    """Whether an amended order that is post-only stays so only if the amendment says it again."""
    order_transport: Literal["rest", "websocket"] = "rest"
    """Transport for orders: the faster one whose answers are complete."""
    request_socket: str | None = None
    """Part of the URL of the socket that carries orders: its messages are limited as requests are, not as subscriptions
    are, and each is answered under its number. None where orders go over REST alone."""
    connection_lifetime_ms: int | None = None
    """Age at which a connection is replaced, before the exchange ends it; None if it is not known to do so."""
    farewell_event: str | None = None
    """Event (`e`) by which the exchange announces that a connection ends soon, or brings nothing any more."""
    event_methods: Mapping[str, str] = field(default_factory=dict)
    """ccxt's method for each event (`e`) that comes all the time, where ccxt makes a table of all its methods at every
    message before it calls one."""
    account_kinds: tuple[AccountKind, ...] = ()
    """Of which kinds an account may be, as far as ccxt asks for that."""
    ccxt_options: Mapping[str, Any] = field(default_factory=dict)
    """ccxt `options` without which one of our actions fails, merged below an account's."""
    balance_difference_events: frozenset[str] = frozenset()
    """Events (`e`) of the account's stream that hold the change of a balance; ccxt may take them for the balance."""
    balances: Literal["account", "spot", "contracts"] = "spot"
    """Whose balances ccxt asks for, unless its options say otherwise: the whole account, or the wallet for one kind of
    markets."""
    net_totals: Mapping[str, str] = field(default_factory=dict)
    """Field of the exchange's own record of a balance that ccxt takes for the total although debts are taken off it, by
    action. Everywhere else the total is with what is borrowed."""
    order_fees: tuple[FeeFields, ...] = ()
    """Where an order's fees stand in several currencies, of which ccxt takes one."""
    trade_fees: tuple[FeeFields, ...] = ()
    """Where those of an own trade do."""
    fee_worth: str | None = None
    """Field of a streamed order with what its fees are worth in one currency, whatever was charged: ccxt takes that for
    the fee, and nothing is said of it then."""
    requests: RequestLimits = RequestLimits()
    backend_ms: int = 60_000
    """How long after its validity the exchange may still be working on a request; a minute if no source says."""
    recv_window_ms: int = 5_000
    """How long after its timestamp the exchange accepts a request; 0 where requests carry no validity."""
    silence: SilenceLimits = SilenceLimits()
    error_rules: tuple[ErrorRule, ...] = ()
    unverified: frozenset[str] = frozenset()
    """Fields, such as `history.own_trades`, whose value no source confirms: a safe assumption stands there."""

    @property
    def settlement_window_ms(self) -> int:
        """How long after sending a request may still take effect, ms. Absence proves nothing before that."""
        return self.recv_window_ms + self.backend_ms

    def accepting_for(self, recv_window_ms: int) -> "ExchangeProfile":
        """Return the profile of an account that set a validity of its own; a shorter one changes nothing."""
        return replace(self, recv_window_ms=max(self.recv_window_ms, recv_window_ms))
