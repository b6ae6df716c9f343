"""What an installation is made of: locked by hash, listed, and free of secrets (S26, S27)."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENV = Path(sys.executable).parent.parent


def direct(extra: str = "") -> set[str]:
    """The names of the packages that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {re.split(r"[\[<>=~! ]", one)[0].lower() for one in asked}


@pytest.fixture(scope="module")
def components(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The components of the bill of materials by name."""
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    command = ["sh", "scripts/sbom.sh", str(VENV), str(file), "--no-validate"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    bill = json.loads(file.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "rapport"
    return {one["name"].lower(): one for one in bill["components"]}


class TestBillOfMaterials:
    def test_names_all_that_we_ask_for_and_what_comes_with_it(self, components) -> None:
        assert direct() <= components.keys()
        assert len(components) > len(direct())

    def test_tells_versions_and_hashes_as_they_are_locked(self, components) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        for name, one in components.items():
            assert f"{name}=={one['version']}" in lock.lower()
            references = one.get("externalReferences", [])
            assert any(reference.get("hashes") for reference in references), name

    def test_names_nothing_that_only_developers_need(self, components) -> None:
        assert not {"pytest", "bandit", "ruff"} & components.keys()


class TestLock:
    @pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
    def test_holds_a_hash_for_everything_and_no_address(self, name: str) -> None:
        lock = (ROOT / name).read_text()
        entries = [one for one in lock.replace("\\\n", " ").splitlines() if "==" in one]
        assert len(entries) > 50
        assert all("--hash=sha256:" in one for one in entries)
        assert "://" not in lock

    def test_of_developers_has_what_users_have(self) -> None:
        def versions(name: str) -> set[str]:
            return set(re.findall(r"^[a-z0-9-]+==[^ ]+", (ROOT / name).read_text(), re.M))

        assert versions("requirements.lock") <= versions("requirements-dev.lock")


class TestSecrets:
    """scripts/secrets_left.py on a repository of its own: it finds what `make check` must find."""

    VALUE = "-".join(("kept", "in", "the", "code"))

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/secrets_left.py", tmp_path / "scripts")
        (tmp_path / "scripts/known_secrets.toml").write_text("")
        (tmp_path / "settings.py").write_text(f'password = "{self.VALUE}"\n')
        return tmp_path

    def left(self, repository: Path) -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "add", "-A"], cwd=repository, check=True)
        command = [sys.executable, "scripts/secrets_left.py"]
        return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)

    def test_are_found_every_time(self, repository: Path) -> None:
        for _ in range(2):
            found = self.left(repository)
            assert found.returncode == 1
            assert "settings.py:1" in found.stderr
            assert self.VALUE not in found.stderr

    def test_are_passed_over_where_a_reason_is_given(self, repository: Path) -> None:
        known = repository / "scripts/known_secrets.toml"
        known.write_text(f'["settings.py"]\n"{self.VALUE}" = "An example."\n')
        assert self.left(repository).returncode == 0
        (repository / "settings.py").write_text("")
        assert "any more" in self.left(repository).stderr
