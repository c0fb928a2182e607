"""The alert rules: each is tested with made-up series, names what exists, and says what to do."""

import re
from typing import Any

import pytest
import yaml

from tests.grafana.files import CONFIGURATION, ROWS, RULES, RULES_TESTS, alerts, matched, named, rules

RECORDED = {rule["record"]: rule for rule in rules() if "record" in rule}

#: What the design promises to be told of: pools, calls, drift, lost events, the daemon itself, quarantine.
PROMISED = {
    "LinkwrightAddressesQuarantined",
    "LinkwrightDown",
    "LinkwrightDriftNotRepaired",
    "LinkwrightNetlinkOverruns",
    "LinkwrightPoolExhausted",
    "LinkwrightPoolExhaustionPredicted",
    "LinkwrightRpcErrors",
    "LinkwrightRpcSlow",
}


def _names(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


@pytest.mark.parametrize("rule", rules(), ids=_names)
def test_a_rule_names_metrics_labels_and_values_that_exist(rule: dict[str, Any]) -> None:
    """An alert over a metric that was renamed never fires again."""
    names = named(rule["expr"])
    assert names
    assert names - {*ROWS} - {*RECORDED} - {"up"} == set()
    for row, label, value in matched(rule["expr"]):
        assert label in row.label_names
        known = next(one.values for one in row.labels if one.name == label)
        assert not known or value in known


@pytest.mark.parametrize("alert", alerts(), ids=_names)
def test_an_alert_says_what_it_is_where_and_how_bad(alert: dict[str, Any]) -> None:
    """CamelCase, a sentence for the list, a description with the instance, one of three severities."""
    assert re.fullmatch(r"Linkwright([A-Z][a-z]+)+", alert["alert"])
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert {*alert["annotations"]} == {"summary", "description"}
    assert re.fullmatch(r"[A-Z][^{}]*\.", alert["annotations"]["summary"])
    assert "{{ $labels.instance }}" in alert["annotations"]["description"]


@pytest.mark.parametrize("rule", RECORDED.values(), ids=_names)
def test_a_recorded_series_is_named_by_level_metric_and_operation(rule: dict[str, Any]) -> None:
    """As Prometheus' page on recording rules has it."""
    assert re.fullmatch(r"[a-z_]+:linkwright_[a-z_]+:[a-z0-9_]+", rule["record"])


def test_no_alert_is_there_twice_and_the_promised_ones_are() -> None:
    """The list is at least what the design says."""
    names = [alert["alert"] for alert in alerts()]
    assert len({*names}) == len(names)
    assert {*names} >= PROMISED


@pytest.mark.parametrize("alert", alerts(), ids=_names)
def test_o_05_each_alert_has_a_test_in_which_it_fires_and_clears(alert: dict[str, Any]) -> None:
    """Quiet before, firing, and quiet again: in that order."""
    document = yaml.safe_load(RULES_TESTS.read_text(encoding="utf-8"))
    assert document["rule_files"] == [RULES.name]
    stories = [
        [bool(one["exp_alerts"]) for one in test["alert_rule_test"] if one["alertname"] == alert["alert"]]
        for test in document["tests"]
    ]
    assert any(story in ([False, True, False], [False, True]) for story in stories)
    assert [story for story in stories if story] == [[False, True, False]] or alert["alert"] in NEVER_CLEAR


#: Alerts whose test has no end: that a daemon restarts often is over only when half an hour has passed.
NEVER_CLEAR = {"LinkwrightRestarting"}


def test_the_example_configuration_scrapes_the_job_that_the_rules_go_by() -> None:
    """And loads the rules, from the daemon's default port."""
    document = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    assert document["rule_files"] == [RULES.name]
    [job] = document["scrape_configs"]
    assert job["job_name"] == "linkwright"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9477"]}]
    jobs = {value for rule in rules() for value in re.findall(r'job="([^"]*)"', rule["expr"])}
    assert jobs == {"linkwright"}
