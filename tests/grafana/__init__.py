"""Tests of what is in ``grafana/``: rules and dashboard name only metrics that exist, and every query gives data."""
