"""The page of all metrics, ``docs/reference/metrics.md``, from the table. Text only.

``python -m linkwright.daemon.metrics.manual`` prints it; a test holds the page in the repository to it.
"""

import sys

from linkwright.daemon.metrics.labels import Label
from linkwright.daemon.metrics.table import TABLE, Kind, Row

_HEAD = """\
# Metrics

<!-- Made from the table in core/src/linkwright/daemon/metrics/table.py; change it there, then
     python -m linkwright.daemon.metrics.manual > docs/reference/metrics.md -->

Served at `/metrics` on the address that [`--metrics`](configuration.md) names. How to scrape them, and the dashboard
and alert rules that go with them: [Scrape with Prometheus](../how-to/scrape-with-prometheus.md).

- Counters and histograms begin at 0 when the daemon starts; those whose label values are known in advance exist from
  then on. A label value that is not known to this page's table is counted as `other`.
- Gauges say what is there at the moment of the scrape. What is gone (a pool, a network, an endpoint) has no series.
- An endpoint has seven series, a pool four, a parent link one; all else depends on the number of drivers only.
- A scrape waits for nothing: not for the disk, not for the kernel, not for a call of Docker that is under way.

## All metrics

| Name | Kind | Labels | Meaning |
| --- | --- | --- | --- |
"""

_TAIL = """
## Traffic by container

`linkwright_endpoint_…` counters carry the endpoint's id alone. What it belongs to stands in `linkwright_endpoint_info`,
which can be joined to them:

```promql
rate(linkwright_endpoint_receive_bytes_total[5m])
  * on (instance, endpoint) group_left (network, sandbox, ipv4) linkwright_endpoint_info
```

`endpoint` and `sandbox` lead to the container:

```sh
docker inspect --format '{{.Name}} {{.NetworkSettings.SandboxKey}}' $(docker ps -q)
docker inspect --format '{{.Name}} {{range .NetworkSettings.Networks}}{{.EndpointID}} {{end}}' $(docker ps -q)
```

Endpoints of macvlan networks have no such counters: their link has moved into the container, and the host sees nothing
of it.
"""


def page() -> str:
    """Return the whole page."""
    rows = "".join(_row(row) for row in TABLE)
    labels = {label for row in TABLE for label in row.labels}
    described = "".join(_label(label) for label in sorted(labels, key=lambda one: (one.name, one.help)))
    return f"{_HEAD}{rows}\n## Labels\n\n| Label | Meaning | Values |\n| --- | --- | --- |\n{described}{_TAIL}"


def _row(row: Row) -> str:
    labels = ", ".join(f"`{name}`" for name in row.label_names) or "none"
    text = row.help
    if row.kind is Kind.HISTOGRAM:
        text += f" Buckets, in seconds: {', '.join(f'{bucket:g}' for bucket in row.buckets)}."
    return f"| `{row.name}` | {row.kind.value} | {labels} | {text} |\n"


def _label(label: Label) -> str:
    users = ", ".join(f"`{row.name}`" for row in TABLE if label in row.labels)
    values = ", ".join(f"`{value}`" for value in label.values) or "as there are"
    alone = sum(label.name == other.name for other in {one for row in TABLE for one in row.labels}) == 1
    return f"| `{label.name}` | {label.help}{'' if alone else f' (of {users})'} | {values} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
