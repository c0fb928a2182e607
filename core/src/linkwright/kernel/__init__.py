"""The kernel for real: netlink sockets, nftables, sysctls and namespaces; the only importer of any of them."""
