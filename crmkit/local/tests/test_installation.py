import socket
import stat
from pathlib import Path

import pytest

from crmkit.local.installation import Installation, is_free, listens
from crmkit.local.lock import AlreadyRunning, InstanceLock


class TestPorts:
    def test_are_the_same_at_the_second_start(self, tmp_path: Path) -> None:
        first = Installation(tmp_path).port("smtp")
        assert Installation(tmp_path).port("smtp") == first

    def test_move_when_somebody_else_has_them_by_now(self, tmp_path: Path) -> None:
        first = Installation(tmp_path).port("smtp")
        with socket.create_server(("127.0.0.1", first)):
            assert not is_free(first)
            assert listens(first)
            assert Installation(tmp_path).port("smtp") != first

    def test_differ_within_one_installation(self, installation: Installation) -> None:
        names = [f"port {number}" for number in range(50)]
        assert len({installation.port(name) for name in names}) == 50


class TestSecrets:
    def test_are_kept_and_readable_for_nobody_else(self, tmp_path: Path) -> None:
        first = Installation(tmp_path).secret("erp")
        assert Installation(tmp_path).secret("erp") == first
        assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600

    def test_differ_between_installations(self, tmp_path: Path) -> None:
        assert Installation(tmp_path / "a").secret("x") != Installation(tmp_path / "b").secret("x")


class TestLock:
    def test_lets_only_one_in_and_names_it(self, tmp_path: Path) -> None:
        first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
        first.take()
        with pytest.raises(AlreadyRunning, match=r"in use by a running stack \(process \d+\)\."):
            second.take()
        first.free()
        second.take()
        second.free()
