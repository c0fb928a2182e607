"""Measurements, as ratios against a peer or a floor taken in the same run. Nothing here is a test: nothing can fail.

``python -m bench`` (``make bench``) runs all of them as root and prints one table; figures of one run only compare
with each other.
"""
