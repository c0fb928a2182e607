"""The page on scraping: what it names exists, and its snippets are what they say they are."""

import re

import pytest
import yaml

from tests.grafana.files import FOLDER, PAGES, ROWS, RULES, alerts, named, promql, rules

HOW_TO = PAGES[0]
PAGE = HOW_TO.read_text(encoding="utf-8")


def test_metrics_and_alerts_on_the_page_exist_and_have_the_severity_it_says() -> None:
    """A reader who looks for one of them finds it."""
    snippets = promql(HOW_TO)
    assert len(snippets) == 3
    assert {name for snippet in snippets for name in named(snippet)} <= {*ROWS} | {
        rule.get("record") for rule in rules()
    }
    told = {
        alert: severity
        for severity, names in re.findall(r"^\| `(critical|warning|info)` \|[^|]*\| (.*) \|$", PAGE, re.MULTILINE)
        for alert in re.findall(r"`(\w+)`", names)
    }
    severities = {alert["alert"]: alert["labels"]["severity"] for alert in alerts()}
    assert told.items() <= severities.items()
    assert {*told.values()} == {*severities.values()}


def test_links_lead_to_files() -> None:
    """Relative, so that they work in a checkout and on the web."""
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (HOW_TO.parent / link).resolve().exists()] == []


def test_the_configuration_on_the_page_names_the_job_and_the_file_of_rules() -> None:
    """As the rules need it; and every snippet is YAML."""
    documents = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert documents[0]["rule_files"] == [RULES.name]
    assert [job["job_name"] for job in documents[0]["scrape_configs"]] == ["linkwright"]
    assert (FOLDER / RULES.name).exists()


@pytest.mark.parametrize("metric", ["bytes", "packets", "drop"])
def test_the_relabelling_drops_what_it_says_and_no_more(metric: str) -> None:
    """Bytes stay."""
    document = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    pattern = document["metric_relabel_configs"][0]["regex"]
    dropped = bool(re.fullmatch(pattern, f"linkwright_endpoint_receive_{metric}_total"))
    assert dropped == (metric != "bytes")
