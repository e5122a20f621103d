"""The deployment files fit the program: its settings, its commands, its ports, the time that a stop may take."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]

from runstead import cli, settings
from runstead.http import health
from tests.docs.pages import ROOT

KUBERNETES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("deploy/kubernetes/*.yaml"))}
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
NODES = {name: service for name, service in COMPOSE["services"].items() if name.startswith("node-")}
POD = KUBERNETES["deployment"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
ENTRIES = {entry.name: entry for entry in settings.ENTRIES}
FILES = [ROOT / name for name in ("Dockerfile", "compose.yaml", "deploy/example.env", "deploy/nats.conf")] + sorted(
    ROOT.glob("deploy/kubernetes/*.yaml")
)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, comments left out and lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole.splitlines()) if name]


def last(name: str) -> str:
    return [rest for each, rest in instructions() if each == name][-1]


def example_environment() -> dict[str, str]:
    """deploy/example.env as Compose reads it."""
    lines = [line for line in (ROOT / "deploy/example.env").read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def interpolated(text: str) -> str:
    """With Compose's `${NAME:?}` and `${NAME:-}` replaced."""
    return re.sub(r"\$\{(\w+):[?-]\}", lambda found: example_environment()[found[1]], text)


def served(arguments: list[str]) -> dict[str, Any]:
    """What `runstead` would be asked to do by a command line. Raises what the command line refuses."""
    command = cli.main.commands[arguments[0]]
    with command.make_context(arguments[0], arguments[1:]) as context:
        return dict(context.params)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_setting_that_is_named_is_one(file):
    named = set(re.findall(r"\bRUNSTEAD_[A-Z_]*[A-Z]\b", file.read_text()))

    assert named <= set(ENTRIES)


@pytest.mark.parametrize("name", NODES)
def test_the_settings_of_a_composed_node_can_be_read(name):
    given = {key: interpolated(value) for key, value in NODES[name]["environment"].items()}

    chosen = settings.load({**given, "RUNSTEAD_DATA_DIR": "/var/lib/runstead"})

    assert chosen.is_postgres
    assert chosen.nats_url is not None
    assert chosen.api_keys
    assert all(value for value in given.values() if value not in ("", None))


def test_the_settings_in_kubernetes_can_be_read_and_secrets_are_kept_as_such():
    plain, secret = KUBERNETES["settings"]["data"], KUBERNETES["secret.example"]["stringData"]

    chosen = settings.load({**plain, **secret, "RUNSTEAD_DATA_DIR": "/var/lib/runstead"})

    assert chosen.is_postgres
    assert chosen.nats_url is not None
    assert len(chosen.nats_url.split(",")) >= chosen.nats_replicas
    assert chosen.blobs_url.startswith("s3://")
    ours = {name for name in {**plain, **secret} if name.startswith("RUNSTEAD_")}
    assert {name for name in ours if ENTRIES[name].is_secret} == ours & set(secret)
    refs = [next(iter(source.values()))["name"] for source in CONTAINER["envFrom"]]
    assert refs == [KUBERNETES["settings"]["metadata"]["name"], KUBERNETES["secret.example"]["metadata"]["name"]]


def test_what_is_started_is_a_command_that_others_can_reach():
    assert json.loads(last("ENTRYPOINT")) == ["runstead"]
    for arguments in (json.loads(last("CMD")), CONTAINER["args"]):
        asked = served(arguments)
        assert (asked["host"], asked["port"]) == ("0.0.0.0", int(last("EXPOSE")))
    with pytest.raises(click.UsageError):
        served([*CONTAINER["args"], "--no-such-option"])


def test_probes_ask_what_is_served():
    paths = {route.path for route in health.routes(None, bytes)}  # type: ignore[arg-type]
    probes = {kind: CONTAINER[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}

    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    assert {probe["path"] for probe in probes.values()} <= paths
    assert f"http://127.0.0.1:{last('EXPOSE')}/healthz" in last("HEALTHCHECK")
    annotations = KUBERNETES["deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] in paths
    assert annotations["prometheus.io/port"] == last("EXPOSE")


def test_ports_meet():
    [port] = CONTAINER["ports"]
    assert port["containerPort"] == int(last("EXPOSE"))
    named = [probe["httpGet"]["port"] for key, probe in CONTAINER.items() if key.endswith("Probe")]
    named += [entry["targetPort"] for entry in KUBERNETES["service"]["spec"]["ports"]]
    named += [entry["port"] for rule in KUBERNETES["network"]["spec"]["ingress"] for entry in rule["ports"]]
    assert set(named) == {port["name"]}


def test_everything_selects_the_same_pods():
    labels = KUBERNETES["deployment"]["spec"]["template"]["metadata"]["labels"]
    assert KUBERNETES["deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["service"]["spec"]["selector"] == labels
    assert KUBERNETES["disruption"]["spec"]["selector"]["matchLabels"] == labels
    assert KUBERNETES["network"]["spec"]["podSelector"]["matchLabels"] == labels


def test_every_manifest_is_applied_but_the_example():
    others = set(KUBERNETES) - {"kustomization", "secret.example"}

    assert {Path(name).stem for name in KUBERNETES["kustomization"]["resources"]} == others
    assert CONTAINER["image"] == KUBERNETES["kustomization"]["images"][0]["name"]


def test_a_stop_has_the_time_that_it_may_take():
    drain = float(KUBERNETES["settings"]["data"]["RUNSTEAD_DRAIN_FOR"])
    pause = float(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] >= pause + drain + 5
    for node in NODES.values():
        assert (
            float(node["stop_grace_period"].removesuffix("s")) >= float(node["environment"]["RUNSTEAD_DRAIN_FOR"]) + 5
        )


def test_a_start_has_the_time_that_it_may_take():
    probe = CONTAINER["startupProbe"]
    wait = float(KUBERNETES["settings"]["data"]["RUNSTEAD_DATABASE_WAIT"])
    assert probe["periodSeconds"] * probe["failureThreshold"] >= wait + 15


def test_nobody_is_root_and_both_files_mean_the_same_user():
    user, group = last("USER").split(":")
    assert int(user) > 0
    context = POD["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (int(user), int(group), int(group))
    assert context["runAsNonRoot"]
    assert any(f"--uid {user} " in rest and rest.count(group) >= 2 for name, rest in instructions() if name == "RUN")


def test_what_a_node_writes_is_where_it_may_write():
    folder = re.search(r"RUNSTEAD_DATA_DIR=(\S+)", last("ENV"))
    assert folder is not None
    assert last("VOLUME") == last("WORKDIR") == folder[1]
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["mountPath"] for mount in CONTAINER["volumeMounts"]} == {folder[1], "/tmp"}
    assert all(node["volumes"] == [f"data:{folder[1]}"] for node in NODES.values())


def test_an_image_is_made_of_hashed_locks_and_names_no_registry():
    installs = [part for name, rest in instructions() if name == "RUN" for part in rest.split("&&") if "pip " in part]
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
    assert "://" not in " ".join(rest for name, rest in instructions() if name != "HEALTHCHECK")
    images = [service["image"] for service in COMPOSE["services"].values()] + [last("ARG").partition("=")[2]]
    assert [image for image in images if "/" in image] == []
    locks = re.findall(r'LOCKS="([\w ]+)"', (ROOT / "Dockerfile").read_text())
    assert all((ROOT / "requirements" / f"{lock}.txt").exists() for names in locks for lock in names.split())


def test_what_is_copied_into_an_image_is_there_and_not_kept_out():
    kept = {line[1:].rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        source.rstrip("/")
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    }
    assert copied == kept
    assert all((ROOT / source).exists() for source in copied)


def test_the_balancer_knows_every_node_and_waits_as_long_as_streams_are_silent():
    config = (ROOT / "deploy/nginx.conf").read_text()

    assert re.findall(r"^\s+server ([\w-]+):(\d+)", config, re.MULTILINE) == [(name, last("EXPOSE")) for name in NODES]
    assert "proxy_buffering off;" in config
    assert COMPOSE["services"]["balancer"]["depends_on"] == list(NODES)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_takes_its_configuration(tmp_path):
    config = (ROOT / "deploy/nginx.conf").read_text()
    (tmp_path / "nginx.conf").write_text(re.sub(r"node-\d", "127.0.0.1", config).replace("/tmp/", f"{tmp_path}/"))

    done = subprocess.run(
        ["nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


def test_nats_takes_its_configuration(tmp_path):
    beside = Path(sys.executable).parent / "nats-server"
    config = tmp_path / "nats.conf"
    config.write_text((ROOT / "deploy/nats.conf").read_text())
    [image] = [service["command"] for name, service in COMPOSE["services"].items() if name == "nats"]

    done = subprocess.run(
        [str(beside) if beside.exists() else "nats-server", image[0], config, "-t"],
        env={**os.environ, "NATS_PASSWORD": "replace-me"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
