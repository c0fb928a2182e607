"""Addresses from a file: a line for each that is taken, an address and by whom. For networks of several hosts."""

from linkwright_ipam_file.backend import FileBackend

__all__ = ["FileBackend"]
