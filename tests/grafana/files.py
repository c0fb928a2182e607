"""What is in ``grafana/``, as values: panels, rules, their expressions, and the metrics that an expression names."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import frozen

from linkwright.daemon.metrics import TABLE, Kind, Row

FOLDER: Final = Path(__file__).parents[2] / "grafana"
DASHBOARD: Final = FOLDER / "linkwright-overview.json"
RULES: Final = FOLDER / "alerts.yml"
RULES_TESTS: Final = FOLDER / "alerts_test.yml"
CONFIGURATION: Final = FOLDER / "prometheus.yml"

#: Pages of the manual with queries in them: how to scrape, and what there is.
PAGES: Final = tuple(
    FOLDER.parent / "docs" / page for page in ("how-to/scrape-with-prometheus.md", "reference/metrics.md")
)

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\{(?P<matchers>[^}]*)\}")
_MATCHER = re.compile(r'(?P<label>\w+)\s*(?:=~|!~|!=|=)\s*"(?P<value>[^"]*)"')

ROWS: Final = {row.name: row for row in TABLE}


@frozen
class Query:
    """One query of a panel, or of a page."""

    panel: str
    expression: str
    legend: str

    def filled(self) -> str:
        """The expression with the dashboard's variables at "All"."""
        text = self.expression.replace("$__rate_interval", "10s")
        return re.sub(r"\$\w+", ".+", text)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def panels() -> list[dict[str, Any]]:
    """Its panels, but for the rows that are headings only."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[Query]:
    """Every query of every panel."""
    return [
        Query(panel["title"], target["expr"], target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def rules(path: Path = RULES) -> list[dict[str, Any]]:
    """Every rule, recording and alerting."""
    return [rule for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The alerting rules."""
    return [rule for rule in rules() if "alert" in rule]


def promql(page: Path) -> list[str]:
    """The queries in the code blocks of a page of the manual."""
    return re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def named(expression: str) -> frozenset[str]:
    """The metrics and recorded series that *expression* names, histograms by their own name."""
    words = _NAME.findall(_TEXT.sub('""', expression))
    return frozenset(_base(word) for word in words if "linkwright_" in word or word == "up")


def matched(expression: str) -> Iterator[tuple[Row, str, str]]:
    """Each metric, label and literal value in the selectors of *expression*, alternatives one by one."""
    for selector in _SELECTOR.finditer(expression):
        row = ROWS.get(_base(selector["name"]))
        if row is None:
            continue
        for matcher in _MATCHER.finditer(selector["matchers"]):
            for value in matcher["value"].split("|"):
                yield row, matcher["label"], value


def _base(word: str) -> str:
    for row in TABLE:
        if row.kind is Kind.HISTOGRAM and re.fullmatch(rf"{row.name}_(bucket|sum|count)", word):
            return row.name
    return word
