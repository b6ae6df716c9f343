"""What lies in deploy/ fits Kubernetes, the settings, the commands and the metrics there are."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crmkit import catalog
from crmkit.__main__ import parser
from crmkit.local.databases import MIGRATION_CONNECTIONS, SERVICE_CONNECTIONS
from crmkit.local.postgres import migration_role
from crmkit.topology import rpc_queue
from gateway.api import rows

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
EXPLAINED = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.M))
OLDEST_KUBERNETES = "1.30"
# What the API server calls each kind; whatever is not here belongs to an operator.
BUILT_IN = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Job": "batch/v1",
    "Namespace": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
}
OF_OPERATORS = {
    "Cluster": "postgresql.cnpg.io/v1",
    "Database": "postgresql.cnpg.io/v1",
    "RabbitmqCluster": "rabbitmq.com/v1beta2",
    "ScaledObject": "keda.sh/v1alpha1",
    "TriggerAuthentication": "keda.sh/v1alpha1",
}
KUSTOMIZATION = "Kustomization"
ASKING = {"need", "number", "text"}
OF_RABBITMQ = {
    "rabbitmq_alarms_file_descriptor_limit",
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_detailed_queue_consumers",
    "rabbitmq_detailed_queue_messages_ready",
}
SECRET = re.compile(
    r"""://[\w.-]+:[\w.~%-]{4,}@|BEGIN [A-Z ]*PRIVATE KEY|(?i:password|secret|token)"""
    r"""\s*[:=]\s*["']?[A-Za-z0-9+/_-]{16,}"""
)

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built

Json = dict[str, Any]


def documents(folder: Path = KUBERNETES) -> Iterator[tuple[Path, Json]]:
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.load_all(path.read_text(), LOADER):
            yield path.relative_to(folder), document


MANIFESTS = [(p, d) for p, d in documents() if d["kind"] != KUSTOMIZATION]


def of_kind(kind: str) -> dict[str, Json]:
    return {d["metadata"]["name"]: d for _, d in MANIFESTS if d["kind"] == kind}


def named(manifest: tuple[Path, Json]) -> str:
    return f"{manifest[1]['kind']} {manifest[1]['metadata']['name']}"


DEPLOYMENTS = of_kind("Deployment")
JOBS = of_kind("Job")
BROKER = of_kind("RabbitmqCluster")["rabbitmq"]
PODS = {name: d["spec"]["template"] for name, d in (DEPLOYMENTS | JOBS).items()}
CONTAINERS = {name: pod["spec"]["containers"][0] for name, pod in PODS.items()} | {
    "definitions": BROKER["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"][
        "initContainers"
    ][0]
}


def settings_of(container: Json) -> dict[str, Json]:
    """What a container finds in its environment: how each variable gets its value."""
    given = {one["name"]: one for one in container.get("env", [])}
    for source in container.get("envFrom", []):
        data = of_kind("ConfigMap")[source["configMapRef"]["name"]]["data"]
        given |= {name: {"name": name, "value": value} for name, value in data.items()}
    return given


def secrets_of(container: Json) -> dict[str, Json]:
    """Of what a container finds, what comes from a Secret, with the reference to it."""
    return {
        name: given["valueFrom"]["secretKeyRef"]
        for name, given in settings_of(container).items()
        if "valueFrom" in given
    }


SECRETS = set().union(*map(secrets_of, CONTAINERS.values()))


def selects(selector: Json, labels: Json) -> bool:
    return selector["matchLabels"].items() <= labels.items()


class TestManifests:
    @pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
    def test_say_what_they_are(self, manifest: tuple[Path, Json]) -> None:
        document = manifest[1]
        assert document["apiVersion"] == (BUILT_IN | OF_OPERATORS)[document["kind"]]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", document["metadata"]["name"])
        assert set(document) <= {
            "apiVersion", "kind", "metadata", "spec", "data", "automountServiceAccountToken"
        }  # fmt: skip

    @pytest.mark.parametrize(
        "manifest", [m for m in MANIFESTS if m[1]["kind"] in BUILT_IN], ids=named
    )
    def test_fit_the_schemas_of_kubernetes(self, manifest: tuple[Path, Json]) -> None:
        # A hundred megabytes of schemas; who has them installed gets the stricter test.
        schemas = pytest.importorskip("kubernetes_validate")
        schemas.validate(manifest[1], OLDEST_KUBERNETES, strict=True)

    def test_are_all_part_of_a_kustomization(self) -> None:
        for path, document in documents():
            if document["kind"] != KUSTOMIZATION:
                continue
            folder = (KUBERNETES / path).parent
            listed = {(folder / entry).resolve() for entry in document["resources"]}
            assert all(entry.exists() for entry in listed)
            files = {f for f in folder.glob("*.yaml") if f.name != "kustomization.yaml"}
            assert files <= listed

    def test_have_names_of_their_own(self) -> None:
        names = [named(m) for m in MANIFESTS]
        assert len(names) == len(set(names))

    def test_need_no_registry(self) -> None:
        images = {container["image"] for container in CONTAINERS.values()}
        assert images == {"rapport"}


class TestProcesses:
    def test_are_all_there(self) -> None:
        run = {tuple(CONTAINERS[name]["command"][1:]) for name in DEPLOYMENTS}
        served = {("serve", service) for service in catalog.services()}
        assert run == served | {("gateway",), ("relay",), ("sender",)}

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_run_commands_that_there_are(self, name: str) -> None:
        program, *words = CONTAINERS[name]["command"]
        assert program == "crm"
        options = parser().parse_args(words)
        if options.command == "serve":
            assert options.service in catalog.services()

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_know_only_settings_that_the_example_explains(self, name: str) -> None:
        assert set(settings_of(CONTAINERS[name])) <= EXPLAINED

    @pytest.mark.parametrize("name", [d for d in DEPLOYMENTS if d != "relay"])
    def test_have_no_address_of_another_owner(self, name: str) -> None:
        own = {"sender": "NOTIFICATIONS"}.get(name, name.upper().replace("-", "_"))
        addresses = {
            setting
            for setting in settings_of(CONTAINERS[name])
            if setting.endswith(("_DATABASE_URL", "_MIGRATION_URL", "_AMQP_URI"))
        }
        assert addresses <= {f"{own}_DATABASE_URL", f"{own}_AMQP_URI"}
        assert f"{own}_DATABASE_URL" in addresses

    def test_find_the_settings_they_need(self) -> None:
        common = {"LOG_LEVEL", "ENVIRONMENT", "QUEUE_TYPE", "HEALTH_HOST", "HEALTH_PORT"}
        for name in DEPLOYMENTS:
            assert common <= set(settings_of(CONTAINERS[name])), name
        needs = {"SMTP_URL", "SMPP_URL", "MAIL_FROM", "PUBLIC_URL", "SECRET_KEY", "SENDER_JOURNAL"}
        assert needs <= set(settings_of(CONTAINERS["sender"]))
        for owner in catalog.owners():
            for name in ("relay", "migrate"):
                assert f"{owner.upper()}_DATABASE_URL" in settings_of(CONTAINERS[name])
            for name in ("migrate", "first-start"):
                assert f"{owner.upper()}_MIGRATION_URL" in settings_of(CONTAINERS[name])
            assert f"{owner.upper()}_AMQP_URI" in settings_of(CONTAINERS["definitions"])

    # One for all services, whose starts are the same; compose holds the others against it below.
    @pytest.mark.parametrize("name", ["sales", "relay", "sender", "gateway"])
    def test_are_given_all_that_their_start_asks_for(self, name: str) -> None:
        made, environment = TestSecrets.made(), {"PATH": os.environ["PATH"]}
        for setting, given in settings_of(CONTAINERS[name]).items():
            environment[setting] = given.get("value", "")
        for setting, reference in secrets_of(CONTAINERS[name]).items():
            environment[setting] = made[reference["name"]].get(setting, "")
        # Each asks for one of these when it has found all that it needs, and ends.
        odd = ("HEALTH_PORT", "PORT", "SENDER_THREADS_EMAIL", "WORKERS")
        said = subprocess.run(
            [sys.executable, "-m", "crmkit", *CONTAINERS[name]["command"][1:]],
            cwd=ROOT,
            env=environment | dict.fromkeys(odd, "x"),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stderr
        assert said.endswith("must be a whole number, not 'x'.\n")

    @pytest.mark.parametrize("name", DEPLOYMENTS)
    def test_are_given_the_same_secrets_by_docker_compose(self, name: str) -> None:
        assert SECRETS & set(COMPOSE[name]["environment"]) == set(secrets_of(CONTAINERS[name]))

    def test_use_quorum_queues(self) -> None:
        assert settings_of(CONTAINERS["definitions"])["QUEUE_TYPE"]["value"] == "quorum"
        assert of_kind("ConfigMap")["rapport"]["data"]["QUEUE_TYPE"] == "quorum"
        assert BROKER["spec"]["replicas"] == 3

    @pytest.mark.parametrize("name", DEPLOYMENTS)
    def test_are_probed_and_may_drain(self, name: str) -> None:
        container, pod = CONTAINERS[name], PODS[name]["spec"]
        live, ready = ("/healthz", "/readyz") if name == "gateway" else ("/live", "/ready")
        port = container["ports"][0]
        setting = "PORT" if name == "gateway" else "HEALTH_PORT"
        assert str(port["containerPort"]) == settings_of(container)[setting]["value"]
        expected = {"startupProbe": live, "livenessProbe": live, "readinessProbe": ready}
        for probe, path in expected.items():
            assert container[probe]["httpGet"] == {"path": path, "port": port["name"]}
        assert pod["terminationGracePeriodSeconds"] == 60
        strategy = DEPLOYMENTS[name]["spec"]["strategy"]["rollingUpdate"]
        assert strategy["maxUnavailable"] == 0

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_may_do_nothing_they_need_not(self, name: str) -> None:
        pod = PODS.get(name, {"spec": {}})["spec"]
        context = pod.get("securityContext", {}) | CONTAINERS[name]["securityContext"]
        assert context["runAsNonRoot"] is True
        # A user that only has a name cannot be told from root before it runs.
        assert context["runAsUser"] > 0
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "privileged" not in context
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod.get("automountServiceAccountToken", False) is False

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_say_what_they_use(self, name: str) -> None:
        resources = CONTAINERS[name]["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert "memory" in resources["limits"]

    @pytest.mark.parametrize("name", DEPLOYMENTS)
    def test_are_never_evicted_all_at_once(self, name: str) -> None:
        labels = PODS[name]["metadata"]["labels"]
        assert selects(DEPLOYMENTS[name]["spec"]["selector"], labels)
        (budget,) = (
            b for b in of_kind("PodDisruptionBudget").values()
            if selects(b["spec"]["selector"], labels)
        )  # fmt: skip
        assert budget["spec"]["maxUnavailable"] == 1

    @pytest.mark.parametrize("name", PODS)
    def test_mount_what_they_declare(self, name: str) -> None:
        mounts = {mount["name"]: mount for mount in CONTAINERS[name]["volumeMounts"]}
        assert set(mounts) == {volume["name"] for volume in PODS[name]["spec"]["volumes"]}

    def test_give_the_sender_a_place_for_its_journal(self) -> None:
        folder = settings_of(CONTAINERS["sender"])["SENDER_JOURNAL"]["value"]
        paths = {m["name"]: m["mountPath"] for m in CONTAINERS["sender"]["volumeMounts"]}
        assert Path(paths["journal"]) in Path(folder).parents


class TestScaling:
    def test_follows_the_queue_of_each_service(self) -> None:
        scaled = of_kind("ScaledObject")
        assert set(scaled) == {service.replace("_", "-") for service in catalog.services()}
        for service in catalog.services():
            spec = scaled[service.replace("_", "-")]["spec"]
            assert spec["scaleTargetRef"]["name"] in DEPLOYMENTS
            (trigger,) = spec["triggers"]
            assert trigger["type"] == "rabbitmq"
            assert trigger["metadata"]["queueName"] == rpc_queue(service)
            login = of_kind("TriggerAuthentication")[trigger["authenticationRef"]["name"]]
            (host,) = login["spec"]["secretTargetRef"]
            assert host["key"] == f"{service.upper()}_AMQP_URI"

    def test_leaves_the_number_to_whoever_scales(self) -> None:
        scalers = [*of_kind("ScaledObject").values(), *of_kind("HorizontalPodAutoscaler").values()]
        scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers}
        for name, deployment in DEPLOYMENTS.items():
            assert (name in scaled) != ("replicas" in deployment["spec"])
            assert deployment["spec"].get("replicas", 2) == 2


class TestNetwork:
    def test_is_closed_but_for_what_is_said(self) -> None:
        closed = of_kind("NetworkPolicy")["default-deny"]["spec"]
        assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    @pytest.mark.parametrize("name", PODS)
    def test_leads_to_what_a_process_has_addresses_of(self, name: str) -> None:
        labels = PODS[name]["metadata"]["labels"]
        given = settings_of(CONTAINERS[name])
        assert ("rapport/broker" in labels) == any(s.endswith("_AMQP_URI") for s in given)
        databases = [s for s in given if s.endswith(("_DATABASE_URL", "_MIGRATION_URL"))]
        assert ("rapport/database" in labels) == bool(databases)

    def test_lets_only_the_sender_out(self) -> None:
        out = [
            policy["spec"]["podSelector"]["matchLabels"]
            for policy in of_kind("NetworkPolicy").values()
            for rule in policy["spec"].get("egress", [])
            for peer in rule.get("to", [])
            if "ipBlock" in peer
        ]
        assert out == [{"app": "sender"}]

    def test_names_labels_that_pods_have(self) -> None:
        of_ours = [pod["metadata"]["labels"] for pod in PODS.values()]
        of_operators = [{"app.kubernetes.io/name": "rabbitmq"}, {"cnpg.io/cluster": "postgres"}]
        for policy in of_kind("NetworkPolicy").values():
            selector = policy["spec"]["podSelector"]
            if selector:
                assert any(selects(selector, one) for one in of_ours + of_operators)


class TestDatabase:
    def test_has_two_roles_and_a_database_for_each_owner(self) -> None:
        spec = of_kind("Cluster")["postgres"]["spec"]
        roles = {role["name"]: role for role in spec["managed"]["roles"]}
        databases = {d["spec"]["name"]: d["spec"] for d in of_kind("Database").values()}
        assert set(databases) == set(catalog.owners())
        limits = dict.fromkeys(databases, SERVICE_CONNECTIONS)
        limits |= dict.fromkeys(map(migration_role, databases), MIGRATION_CONNECTIONS)
        assert {name: role["connectionLimit"] for name, role in roles.items()} == limits
        for role in roles.values():
            assert {role["superuser"], role["createdb"], role["createrole"]} == {False}
        for owner, database in databases.items():
            assert database["owner"] == migration_role(owner)
            assert database["cluster"] == {"name": "postgres"}
            assert f"'{owner}'" in spec["bootstrap"]["initdb"]["postInitSQL"][0]

    def test_lets_the_operator_into_its_own(self) -> None:
        # As streaming_replica, a role like any other; without it no second instance joins.
        made = of_kind("Cluster")["postgres"]["spec"]["bootstrap"]["initdb"]["postInitSQL"]
        (revoked,) = [statement for statement in made if statement.startswith("REVOKE CONNECT")]
        assert "DATABASE template1 FROM PUBLIC" in revoked

    def test_lets_a_role_into_its_own_database_only(self) -> None:
        rules = of_kind("Cluster")["postgres"]["spec"]["postgresql"]["pg_hba"]
        first, *migrations, last = [rule.split() for rule in rules]
        assert first == ["hostssl", "sameuser", "all", "all", "scram-sha-256"]
        assert sorted(migrations) == sorted(
            ["hostssl", owner, migration_role(owner), "all", "scram-sha-256"]
            for owner in catalog.owners()
        )
        assert last == ["host", "all", "all", "all", "reject"]


class TestSecrets:
    @staticmethod
    def made() -> dict[str, Json]:
        printed = subprocess.run(
            [sys.executable, str(KUBERNETES / "new_secrets.py")],
            capture_output=True,
            text=True,
            check=True,
            env={"SMTP_URL": "smtp://mail", "SMPP_URL": "smpp://sms"},
        ).stdout
        return {s["metadata"]["name"]: s["stringData"] for s in json.loads(printed)["items"]}

    def test_are_made_for_every_reference(self) -> None:
        made = self.made()
        for name, container in CONTAINERS.items():
            referred = secrets_of(container)
            for setting in settings_of(container).keys() - referred.keys() - {"PUBLIC_URL"}:
                hidden = setting.endswith(("_KEY", "_PASSWORD", "_URL", "_URI"))
                assert not hidden, f"{name} has {setting} in the open"
            for setting, reference in referred.items():
                assert reference["key"] == setting
                assert reference.get("optional") or setting in made[reference["name"]]
        for role in of_kind("Cluster")["postgres"]["spec"]["managed"]["roles"]:
            login = made[role["passwordSecret"]["name"]]
            owner, migration, _ = role["name"].partition("_migration")
            secret = role["passwordSecret"]["name"].replace("postgres-", "rapport-")
            kind = "MIGRATION" if migration else "DATABASE"
            url = made[secret][f"{owner.upper()}_{kind}_URL"]
            assert login["username"] == role["name"]
            assert f"//{login['username']}:{login['password']}@" in url
            assert f"/{owner}?" in url
        for login in of_kind("TriggerAuthentication").values():
            (host,) = login["spec"]["secretTargetRef"]
            assert host["key"] in made[host["name"]]

    def test_are_fresh_each_time(self) -> None:
        assert self.made()["rapport"] != self.made()["rapport"]

    def test_do_not_stand_in_the_tree(self) -> None:
        assert not of_kind("Secret")
        for path in DEPLOY.rglob("*"):
            if path.is_file() and path.suffix in {".yaml", ".json", ".md", ".conf", ".sh"}:
                assert not SECRET.search(path.read_text()), path


def metrics_there_are() -> dict[str, set[str]]:
    """Every crm_* series that a process can show, with its labels."""
    from prometheus_client import Counter, Histogram

    from crmkit import metrics

    importlib.import_module("services.notifications.ledger")
    found: dict[str, set[str]] = {}
    for metric in set(metrics.registry._collector_to_names):
        labels = set(metric._labelnames)  # type: ignore[attr-defined]
        name = metric._name  # type: ignore[attr-defined]
        if isinstance(metric, Histogram):
            found |= {f"{name}_{end}": labels for end in ("count", "sum")}
            found[f"{name}_bucket"] = labels | {"le"}
        else:
            found[f"{name}_total" if isinstance(metric, Counter) else name] = labels
    return found


DASHBOARD = json.loads((DEPLOY / "grafana" / "rapport.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [t["expr"] for p in DASHBOARD["panels"] for t in p.get("targets", [])] + [
    rule["expr"] for rule in RULES
]


class TestMonitoring:
    @pytest.mark.parametrize("expression", EXPRESSIONS)
    def test_asks_for_metrics_and_labels_that_there_are(self, expression: str) -> None:
        there = metrics_there_are()
        for name, selector in re.findall(r"\b(crm_\w+)(?:\{([^}]*)\})?", expression):
            assert name in there, f"Nothing shows {name}."
            assert set(re.findall(r"(\w+)\s*=?[~!=]", selector)) <= there[name]
        assert set(re.findall(r"\brabbitmq_\w+", expression)) <= OF_RABBITMQ

    def test_shows_every_metric_of_ours(self) -> None:
        shown = " ".join(EXPRESSIONS)
        families = {re.sub(r"_(count|sum|bucket)$", "", name) for name in metrics_there_are()}
        assert not [family for family in families if family not in shown]

    def test_groups_by_labels_that_there_are(self) -> None:
        labels = set().union(*metrics_there_are().values())
        others = {"queue", "instance", "process", "pod", "job_name"}
        for expression in EXPRESSIONS:
            for group in re.findall(r"by \(([^)]*)\)", expression):
                assert {label.strip() for label in group.split(",")} <= labels | others

    def test_says_to_whom_and_where_to_read_on(self) -> None:
        headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.M)
        anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
        for rule in RULES:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"].endswith(".")
            file, anchor = rule["annotations"]["runbook"].split("#")
            assert file == "docs/runbook.md"
            assert anchor in anchors, f"{rule['alert']} leads to no heading: {anchor}"

    def test_has_panels_with_ids_of_their_own(self) -> None:
        ids = [panel["id"] for panel in DASHBOARD["panels"]]
        assert len(ids) == len(set(ids))
        assert all(panel["title"] for panel in DASHBOARD["panels"])

    def test_times_no_requests_that_may_wait(self) -> None:
        waiting = [row.path for row in rows() if "wait" in row.command().fields]
        assert waiting == ["/v1/events"]
        for expression in EXPRESSIONS:
            for selector in re.findall(r"crm_http_request_seconds_bucket(\{.*?\})?", expression):
                assert selector == '{route!="/v1/events"}'

    def test_takes_no_pod_that_has_ended_for_one_that_is_not_ready(self) -> None:
        asking = [e for e in EXPRESSIONS if "kube_pod_status_ready" in e]
        assert len(asking) == 2
        assert all('phase=~"Succeeded|Failed"' in expression for expression in asking)

    def test_warns_after_half_a_minute_that_events_wait(self) -> None:
        (rule,) = (rule for rule in RULES if rule["alert"] == "EventsWaitToLeave")
        assert "crm_outbox_oldest_seconds) > 30" in rule["expr"]


def settings_read() -> Iterator[str]:
    """The names that our code asks its settings for; of one that is put together, its beginning."""
    for folder in ("crmkit", "gateway", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse("" if "tests" in path.parts else path.read_text())
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") in ASKING:
                    for word in call.args:
                        first = getattr(word, "values", [word])[0]
                        yield str(getattr(first, "value", ""))


class TestSettings:
    def test_are_all_in_the_example(self) -> None:
        names = {name for name in settings_read() if re.fullmatch("[A-Z][A-Z_]{2,}", name)}
        assert {"WORKERS", "SENDER_THREADS_", "OIDC_REDIRECT_URI"} <= names
        beginnings = tuple(name for name in names if name.endswith("_"))
        assert names - set(beginnings) <= EXPLAINED
        assert all(any(e.startswith(b) for e in EXPLAINED) for b in beginnings)


class TestRunbook:
    @pytest.mark.parametrize("words", re.findall(
        r"^(?:[a-z0-9 /.-]*-- )?crm ([a-z][^#\n|>…]*)",
        (ROOT / "docs" / "runbook.md").read_text(), re.M,
    ))  # fmt: skip
    def test_names_commands_that_there_are(self, words: str) -> None:
        parser().parse_args(re.findall(r"'[^']*'|\S+", words))
