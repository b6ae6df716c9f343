import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crmkit import catalog
from crmkit.__main__ import parser
from crmkit.local.stack import LocalStack

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
EXPLAINED = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
READ_BY_OTHERS = {"POSTGRES_INITDB_ARGS"}


def crm_commands() -> list[list[str]]:
    return [
        words["command"][1:]
        for words in SERVICES.values()
        if words.get("command", [""])[0] == "crm"
    ]


class TestCompose:
    @pytest.mark.parametrize("words", crm_commands(), ids=" ".join)
    def test_runs_commands_that_there_are(self, words: list[str]) -> None:
        plain = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in words]
        options = parser().parse_args(plain)
        if options.command == "serve":
            assert options.service in catalog.services()

    def test_runs_a_module_that_there_is(self) -> None:
        assert importlib.util.find_spec(SERVICES["inboxes"]["command"][2])

    def test_runs_every_process_of_a_stack(self, tmp_path: Path) -> None:
        served = {words[1] for words in crm_commands() if words[0] == "serve"}
        assert served == set(catalog.services())
        others = {words[0] for words in crm_commands()} - {"serve"}
        assert others == {"definitions", "migrate", "seed", "relay", "sender", "gateway"}

    def test_uses_only_variables_that_the_example_explains(self) -> None:
        used = set(re.findall(r"\$\{(\w+)", COMPOSE))
        given = {name for words in SERVICES.values() for name in words.get("environment", {})}
        assert (used | given) - READ_BY_OTHERS <= EXPLAINED

    def test_gives_no_service_the_database_of_another(self) -> None:
        for name, words in SERVICES.items():
            if name in (*(s.replace("_", "-") for s in catalog.services()), "gateway"):
                kinds = ("_DATABASE_URL", "_MIGRATION_URL")
                databases = [v for v in words["environment"] if v.endswith(kinds)]
                assert databases == [f"{name.replace('-', '_').upper()}_DATABASE_URL"]

    def test_publishes_on_loopback_only(self) -> None:
        ports = [port for words in SERVICES.values() for port in words.get("ports", [])]
        assert ports
        assert all(port.startswith("127.0.0.1:") for port in ports)


class TestExample:
    def test_explains_what_a_stack_sets(self, tmp_path: Path) -> None:
        assert set(LocalStack(tmp_path).settings()) <= EXPLAINED

    def test_becomes_a_file_of_fresh_secrets(self) -> None:
        made = [
            subprocess.run(
                [sys.executable, str(ROOT / "scripts" / "new_env.py")],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for _ in range(2)
        ]
        assert made[0] != made[1]
        values = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", made[0], re.M))
        assert set(values) == EXPLAINED
        assert not any("<random" in value for value in values.values())
        assert f":{values['SMS_SIMULATOR_PASSWORD']}@" in values["SMPP_URL"]


class TestMakefile:
    def test_lists_its_targets(self) -> None:
        listed = subprocess.run(
            ["make"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for target in ("run", "test", "check", "up", "bench", "chaos", "migrate", "revision"):
            assert f"  make {target} " in listed
        for target in ("openapi", "fmt", "clean", "lock"):
            assert f"  make {target} " in listed
