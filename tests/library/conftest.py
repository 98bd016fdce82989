from tests.net.fixtures import client, offline, server


__all__ = ["client", "offline", "server"]
