import json

import pytest

from millrace_core.config import DbsyncConfig, parse_config
from millrace_dbsync.agent import DbsyncAgent
from millrace_dbsync.plan import AgentsPlan, MaintenancePlan, TenantPlan, UnitPlan, matches, plans, shard_of


def configured(*workplans: object, **rest: object) -> DbsyncConfig:
    return parse_config(DbsyncConfig, json.dumps({"agent": {"id": "DBSYNC"}, "workplans": workplans, **rest}))


def tenant_plan(*assets: str, **fields: object) -> TenantPlan:
    units = plans(configured({"tenant": "Ann", "assets": assets, **fields}))
    plan = units["Ann.journals"]
    assert isinstance(plan, TenantPlan)
    return plan


def test_a_pattern_matches_any_run_of_characters_and_nothing_else_is_special() -> None:
    """`*` stands for any run, dots included; every other character for itself."""
    plan = tenant_plan("stream.Ann.binance.watchTrades.*", "stream.Ann.kucoin.watchOrderBook.A?C/USDT")
    assert plan.wants("stream.Ann.binance.watchTrades.BTC/USDT")
    assert plan.wants("stream.Ann.binance.watchTrades.A.B/USDT:USDT")
    assert not plan.wants("stream.Ann.binance.watchTicker.BTC/USDT")
    assert not plan.wants("stream.Ann.kucoin.watchOrderBook.ABC/USDT")


def test_snapshots_go_with_their_stream_where_they_are_of_use() -> None:
    """A stream's snapshots are read with it when they hold what messages alone do not."""
    plan = tenant_plan("stream.Ann.*")
    assert plan.wants("stream.snapshot.Ann.binance.watchOrderBook.BTC/USDT")
    assert not plan.wants("stream.snapshot.Ann.binance.watchTrades.BTC/USDT")
    assert not plan.wants("stream.snapshot.Bob.binance.watchOrderBook.BTC/USDT")


def test_requests_are_stored_by_default() -> None:
    """A tenant's plan includes its own requests to trade and no others."""
    assert tenant_plan("stream.Ann.*").wants("Ann.traderActions")
    assert not tenant_plan("stream.Ann.*").wants("Bob.traderActions")
    assert not tenant_plan("stream.Ann.*", requests=False).wants("Ann.traderActions")


def test_what_is_no_stream_is_left_alone() -> None:
    """A key of a stream's type whose name the protocol does not know is not read."""
    assert not tenant_plan("stream.Ann.*").wants("stream.Ann.oops")
    assert not tenant_plan("stream.Ann.*").wants("stream.config.DBSYNC")


def test_workplans_of_one_tenant_are_one_unit() -> None:
    """Journals of one tenant named in two workplans are read by one unit, each once."""
    one = {"tenant": "Ann", "assets": ["stream.Ann.a.*"], "requests": False}
    two = {"tenantId": "Ann", "assets": ["stream.Ann.b.*", "stream.Ann.a.*"]}
    units = plans(configured(one, two))
    assert set(units) == {"Ann.journals", "agents", "maintenance"}
    plan = units["Ann.journals"]
    assert isinstance(plan, TenantPlan)
    assert plan.assets == ("stream.Ann.a.*", "stream.Ann.b.*")
    assert plan.requests


def test_a_change_of_one_tenant_leaves_the_others_units_as_they_are() -> None:
    """Units of tenants that did not change compare equal, so that they go on undisturbed."""
    ann = {"tenant": "Ann", "assets": ["stream.Ann.*"]}
    before = plans(configured(ann, {"tenant": "Bob", "assets": ["stream.Bob.a.*"]}))
    after = plans(configured(ann, {"tenant": "Bob", "assets": ["stream.Bob.b.*"]}, agents=False))
    assert before["Ann.journals"] == after["Ann.journals"]
    assert before["Bob.journals"] != after["Bob.journals"]
    assert before["agents"] == AgentsPlan()
    assert "agents" not in after


def test_each_tenants_balances_are_valued_in_its_currency() -> None:
    """USDT unless the configuration names another."""
    ann, bob = {"tenant": "Ann", "assets": ["stream.Ann.*"]}, {"tenant": "Bob", "assets": ["stream.Bob.*"]}
    maintenance = plans(configured(ann, bob | {"equityCurrency": "EUR"}))["maintenance"]
    assert isinstance(maintenance, MaintenancePlan)
    assert maintenance.currencies == (("Ann", "USDT"), ("Bob", "EUR"))


def test_the_retention_is_what_the_configuration_says() -> None:
    """Without a limit, everything is kept."""
    units = plans(configured(retention={"bookDays": 7}))
    assert units["maintenance"] == MaintenancePlan(book_days=7, trades_days=None, other_days=None)


@pytest.mark.parametrize("workers", [0, 1, "each"])
def test_without_several_workers_a_tenant_is_one_unit(workers: object) -> None:
    """It stores every journal of the tenant."""
    units = plans(configured({"tenant": "Ann", "assets": ["stream.Ann.*"]}, workers=workers))
    assert set(units) == {"Ann.journals", "agents", "maintenance"}


NAMES = [f"stream.Ann.binance.{action}.C{n}/USDT" for action in ("watchOrderBook", "watchTrades") for n in range(500)]


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_several_workers_divide_a_tenants_journals(workers: int) -> None:
    """Each journal falls to one unit, snapshots to that of their stream, requests to the first; shares are similar."""
    units = plans(configured({"tenant": "Ann", "assets": ["stream.Ann.*"]}, workers=workers))
    shares = [units[f"Ann.journals.{number + 1}"] for number in range(workers)]
    assert len(units) == workers + 2
    counts = [0] * workers
    for name in NAMES:
        (owner,) = [number for number, share in enumerate(shares) if wants(share, name)]
        counts[owner] += 1
        if "watchOrderBook" in name:
            assert wants(shares[owner], name.replace("stream.", "stream.snapshot.", 1))
    assert min(counts) > 0.7 * len(NAMES) / workers
    assert [wants(share, "Ann.traderActions") for share in shares] == [True] + [False] * (workers - 1)


def test_a_stream_falls_to_the_same_shard_everywhere() -> None:
    """In every process and every version: a dbsync that is replaced by a newer one divides as before."""
    assert [shard_of(name, 1_000) for name in NAMES[:4]] == [62, 72, 148, 25]


def wants(plan: UnitPlan, name: str) -> bool:
    assert isinstance(plan, TenantPlan)
    return plan.wants(name)


def test_a_pattern_of_many_stars_is_matched_in_linear_time() -> None:
    """A regular expression takes ten times longer with each star; this one would take years."""
    assert not matches("*a" * 1_000 + "b", "a" * 100_000)
    assert matches("*a" * 1_000 + "*", "a" * 100_000)


def test_what_stars_divide_may_not_overlap() -> None:
    """Begin, middle and end each match text of their own."""
    assert matches("ab*ba", "abba")
    assert not matches("ab*ba", "aba")
    assert not matches("a*b*b", "ab")
    assert matches("a**b", "ab")
    assert matches("*", "")
    assert not matches("a", "ab")


def test_a_currency_in_small_letters_is_warned_of() -> None:
    """Nothing has a price in usdt: the equity would be 0 for ever."""
    workplans = [
        {"tenant": tenant, "assets": [f"stream.{tenant}.*"], "equityCurrency": code}
        for tenant, code in (("Ann", "usdt"), ("Bob", "BTC"))
    ]
    (warning,) = DbsyncAgent("sqlite:///unused.db").warnings(configured(*workplans))
    assert "workplans[0].equityCurrency: nothing has a price in usdt" in warning
