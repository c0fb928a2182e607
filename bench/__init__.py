"""Measurements, as ratios against a peer or a floor taken in the same run. Nothing here is a test: nothing can fail.

``python -m bench`` (``make bench``) runs all of them as root and prints their tables; figures of one run only compare
with each other. The scenes, each a module with ``measure``:

=============  ====================================================================================================
``endpoints``  what endpoints cost, over the socket and through Docker, and one more network beside many
``ports``      what one more published port costs beside many, and a connection through one of them
``recovery``   how fast rules, the daemon and Docker's networks are back, and whether a slow client slows others
=============  ====================================================================================================

What runs inside a host, by itself, is a script of the standard library that prints JSON.
"""
