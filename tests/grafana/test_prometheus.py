"""With Prometheus' own programs: they accept what we serve, our rules and our queries, and get data from them."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from linkwright.daemon import http
from linkwright.daemon.exposition import Exposition, refusal
from linkwright.daemon.health import Health
from tests.grafana import prometheus
from tests.grafana.busy import Busy, unmentioned
from tests.grafana.files import CONFIGURATION, FOLDER, PAGES, ROWS, RULES, RULES_TESTS, Query, promql, queries, rules


async def test_o_01_promtool_finds_nothing_to_say_about_a_scrape() -> None:
    """Every series has HELP and TYPE, names and units are as Prometheus wants them."""
    busy = Busy()
    busy.work()
    text = await busy.metrics.scrape(busy.sources)
    assert prometheus.promtool("check", "metrics", text=text) == (0, "")


async def test_the_busy_day_has_every_metric_and_moves_every_counter() -> None:
    """So that a query without data has nothing to blame but itself."""
    busy = Busy()
    before = await busy.metrics.scrape(busy.sources)
    busy.work()
    after = await busy.metrics.scrape(busy.sources)
    sums = [
        {
            family.name + ("_total" if family.type == "counter" else ""): sum(sample.value for sample in family.samples)
            for family in text_string_to_metric_families(text.decode())
        }
        for text in (before, after)
    ]
    assert unmentioned() == frozenset()
    assert {*sums[1]} == {*ROWS}
    still = {name for name in ROWS if name.endswith("_total") and sums[0][name] == sums[1][name]}
    assert still == {"linkwright_scrape_source_failures_total"}


def test_promtool_accepts_the_rules_and_the_example_configuration() -> None:
    """The very files that the manual tells users to load."""
    assert prometheus.promtool("check", "rules", "--lint-fatal", RULES)[0] == 0
    assert prometheus.promtool("check", "config", CONFIGURATION)[0] == 0


def test_o_05_the_alerts_do_as_their_tests_say() -> None:
    """Each fires for its trouble, with its text, and clears after."""
    status, said = prometheus.promtool("test", "rules", RULES_TESTS.name, folder=FOLDER)
    assert (status, said) == (0, said)


@pytest.mark.slow
async def test_o_06_every_query_gives_data_in_a_busy_run(tmp_path: Path) -> None:
    """A Prometheus scrapes a served exposition; all queries of panels and pages have data; rules evaluate."""
    busy = Busy()
    exposition = Exposition(busy.metrics, busy.sources, Health())
    connections = http.Connections()
    serve = partial(http.serve, handler=exposition.answer, refusal=refusal, connections=connections)
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        target = "{}:{}".format(*listener.socket.getsockname())
        configuration = tmp_path / "prometheus.yml"
        configuration.write_text(_quick(target), encoding="utf-8")
        async with prometheus.running(configuration, tmp_path / "data") as server:
            nursery.start_soon(_work, busy)
            await server.until('count_over_time(up{job="linkwright"}[1m]) >= 8')
            assert [sample["value"][1] for sample in (await server.get("query", query="up"))["result"]] == ["1"]
            asked = [*queries(), *(Query(page.name, text, "") for page in PAGES for text in promql(page))]
            answers = {query: (await server.get("query", query=query.filled()))["result"] for query in asked}
            assert [query for query, result in answers.items() if not any(map(_is_number, result))] == []
            await server.until("count(ALERTS) > 0")
            await _all_rules_are_well(server)
        nursery.cancel_scope.cancel()


def _is_number(sample: dict[str, Any]) -> bool:
    return not math.isnan(float(sample["value"][1]))


async def _work(busy: Busy) -> None:
    while True:
        busy.work()
        await trio.sleep(0.1)


def _quick(target: str) -> str:
    """The example configuration, for this server and in a hurry."""
    document = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    document["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"}
    document["rule_files"] = [str(RULES)]
    document["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    return yaml.safe_dump(document)


async def _all_rules_are_well(server: prometheus.Prometheus) -> None:
    with trio.fail_after(prometheus.PATIENCE):
        while True:
            groups = (await server.get("rules"))["groups"]
            found = [(rule["name"], rule["health"], rule.get("lastError", "")) for g in groups for rule in g["rules"]]
            if all(health != "unknown" for _, health, _ in found):
                break
            await trio.sleep(0.2)
    assert [rule for rule in found if rule[1:] != ("ok", "")] == []
    assert len(found) == len(rules())
