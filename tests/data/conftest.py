from tests.net.fixtures import server


__all__ = ["server"]
