"""nftables by our own hand: values, their texts and bytes, one socket, one service. Nothing is imported here.

``table``, ``statements``, ``selectors``, ``text``  what a table is made of, as values with nft(8)'s own texts
``datatypes``              text of an element to bytes and back, by a table of types
``messages``, ``expressions``, ``nfnetlink``, ``numbers``  those values as netlink messages
``transport``              one blocking socket: transactions and dumps
``installed``              what is there, and whether it is right
``changes``, ``keeper``    steps of a plan as transactions, over all tables at once
``firewall``, ``watch``    the service: a thread for the work, a socket for the events
"""
