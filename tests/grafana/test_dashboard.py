"""The dashboard: what it shows exists, what exists is shown, and every panel can be read."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.grafana.files import ROWS, Query, dashboard, matched, named, panels, queries

#: Metrics that no panel shows, each with the reason.
INTERNAL: Mapping[str, str] = {
    "linkwright_driver_info": "for joining: which package of which version another series' driver came in",
}

#: Grafana's units that are used here; a panel without one shows 8388608 instead of 8 MiB.
UNITS = {"bool_yes_no", "Bps", "bytes", "ops", "percentunit", "pps", "reqps", "s", "short"}

#: What a counter must be wrapped in to mean anything on a time axis.
_RATES = re.compile(r"(rate|increase|delta)\($")


def test_every_metric_named_in_a_panel_exists() -> None:
    """A renamed metric must not leave an empty panel behind."""
    shown = {name for query in queries() for name in named(query.expression)}
    assert shown - {*ROWS} == set()


def test_every_metric_is_on_the_dashboard_or_internal_for_a_reason() -> None:
    """Nobody looks at what is shown nowhere."""
    shown = {name for query in queries() for name in named(query.expression)}
    assert {*ROWS} - shown == {*INTERNAL}
    assert all(INTERNAL.values())


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])
def test_a_panel_has_title_description_unit_and_data_source(panel: dict[str, Any]) -> None:
    """As grafana's dashboard linter asks for; the data source is the variable and not somebody's own."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    assert [target["refId"] for target in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]


def test_titles_and_ids_are_given_once_and_no_panel_lies_over_another() -> None:
    """A link to a panel leads to one, and all can be seen."""
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    cells = [
        (x, y)
        for panel in everything
        for where in [panel["gridPos"]]
        for x in range(where["x"], where["x"] + where["w"])
        for y in range(where["y"], where["y"] + where["h"])
    ]
    assert len({*cells}) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.panel}: {query.legend}")
def test_a_query_follows_the_variables_and_rates_its_counters(query: Query) -> None:
    """Each selector has job and instance; each counter is under a rate; labels and their values exist."""
    selectors = re.findall(r"linkwright_\w+(\{[^}]*\})?", query.expression)
    assert selectors
    for selector in selectors:
        assert selector.startswith('{job=~"$job",instance=~"$instance"'), query.expression
    for counter in re.finditer(r"linkwright_\w+(_total|_bucket|_sum|_count)\b", query.expression):
        assert _RATES.search(query.expression[: counter.start()]), query.expression
    for row, label, value in matched(query.expression):
        assert label in {*row.label_names, "job", "instance"}
        known = next((one.values for one in row.labels if one.name == label), ())
        assert value.startswith("$") or not known or value in known
    for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
        aggregated = re.findall(r"\bby \(([^)]*)\)", query.expression)
        labels = {one.strip() for by in aggregated for one in by.split(",")}
        own = {one for name in named(query.expression) for one in ROWS[name].label_names}
        assert label in (labels or own | {"instance"}), query.legend


def test_the_variables_are_data_source_job_instance_driver_and_plugin() -> None:
    """In that order, each but the first filled from metrics that exist, with "All" as the choice at first."""
    source, *others = dashboard()["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    assert [variable["name"] for variable in others] == ["job", "instance", "driver", "plugin"]
    for variable in others:
        [metric] = named(variable["query"]["query"])
        assert metric in ROWS
        assert variable["datasource"]["uid"] == "${datasource}"
        assert (variable["includeAll"], variable["multi"], variable["allValue"]) == (True, True, ".+")
        used = rf"\${variable['name']}\b"
        assert any(re.search(used, query.expression) for query in queries())


def test_the_dashboard_has_a_stable_address_and_is_not_edited_in_place() -> None:
    """Links to it outlive an import, and a change is made in the repository."""
    assert dashboard()["uid"] == "linkwright-overview"
    assert dashboard()["id"] is None
    assert dashboard()["editable"] is False
