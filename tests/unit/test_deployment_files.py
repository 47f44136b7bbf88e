"""What stands in deploy/: well-formed, with settings that exist, and with no secret that anybody knows."""

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from catalog.setting_sources import secret_settings, variable_of, variables_of
from catalog.settings import ClientSettings, Settings
from web.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "headwater"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: What compose and the chart call themselves, and no settings.
OTHER_VARIABLES = {
    "HEADWATER_IMAGE",
    "HEADWATER_NEO4J_IMAGE",
    "HEADWATER_POSTGRESQL_IMAGE",
    "HEADWATER_PUBLISHED_PORT",
}
SECRET_WORDS = re.compile(r"PASSWORD|TOKEN|AUTH\b|SECRET|DATABASE_URL|DIRECT_URL")


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text_of(ROOT / "docker-compose.yml"))
    return loaded


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # names of systemd are in capitals
    parser.read_string(text_of(path))
    return parser


def lines_of(path: Path, name: str) -> list[str]:
    """Every value of a setting that a unit may name several times."""
    return re.findall(rf"^{name}=(.*)$", text_of(path), re.MULTILINE)


def deployment_files() -> Iterator[Path]:
    yield ROOT / "docker-compose.yml"
    yield ROOT / ".dockerignore"
    yield from (path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)


def test_every_setting_that_a_file_names_exists() -> None:
    known = variables_of(Settings) | variables_of(ClientSettings) | OTHER_VARIABLES
    found = set()
    for path in deployment_files():
        names = set(re.findall(r"\bHEADWATER_[A-Z0-9_]*[A-Z0-9]\b", text_of(path)))
        assert names <= known, (path, names - known)
        found |= names
    assert {"HEADWATER_DATABASE_URL_FILE", "HEADWATER_RUN_TOKEN_FILE", "HEADWATER_ALLOWED_HOSTS"} <= found


def test_ports_are_those_of_the_settings() -> None:
    port = Settings.model_fields["port"].default
    assert f"EXPOSE {port}" in text_of(DEPLOY / "Dockerfile")
    assert compose()["services"]["web"]["ports"][0].endswith(f":{port}")
    assert yaml.safe_load(text_of(CHART / "values.yaml"))["service"]["port"] == port
    assert f"containerPort: {port}" in text_of(CHART / "templates" / "web.yaml")


# Compose ----------------------------------------------------------------------------------------------------


def test_compose_has_the_parts_with_health_checks_and_volumes_of_names() -> None:
    found = compose()
    services = found["services"]
    assert set(services) == {"postgresql", "migrate", "web", "worker", "neo4j"}
    for name, service in services.items():
        assert "test" in service["healthcheck"] or (name == "migrate" and service["healthcheck"]["disable"])
        for volume in service.get("volumes", []):
            source, colon, _ = volume.partition(":")
            assert source in found["volumes"] if colon else name == "worker", (name, volume)
    assert services["neo4j"]["profiles"] == ["neo4j"]
    assert services["web"]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["postgresql"]["condition"] == "service_healthy"


def test_compose_gives_no_privileges_and_opens_one_port_to_this_machine() -> None:
    services = compose()["services"]
    for name in ("migrate", "web", "worker"):
        service = services[name]
        assert service["read_only"] is True
        assert int(service["user"].split(":")[0]) > 0
        assert service["cap_drop"] == ["ALL"]
    for service in services.values():
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 1
    assert published[0].startswith("127.0.0.1:")
    assert compose()["networks"]["backend"]["internal"] is True


def test_every_secret_of_compose_is_a_file_that_is_made() -> None:
    found = compose()
    made = set(re.findall(r"\| keep ([a-z0-9-]+)$", text_of(DEPLOY / "make-secrets"), re.MULTILINE))
    assert {name: secret["file"] for name, secret in found["secrets"].items()} == {
        name: f"deploy/secrets/{name}" for name in made
    }
    for service in found["services"].values():
        assert set(service.get("secrets", [])) <= made
        for variable, value in service.get("environment", {}).items():
            if SECRET_WORDS.search(variable):
                assert variable.endswith("_FILE"), variable
                assert value.removeprefix("/run/secrets/") in service["secrets"], value
    ignored = text_of(ROOT / ".gitignore").splitlines()
    assert "/deploy/secrets/" in ignored


# Image ------------------------------------------------------------------------------------------------------


def test_the_image_is_built_in_stages_and_runs_without_privileges() -> None:
    instructions = re.findall(r"^([A-Z]+) (.*)$", text_of(DEPLOY / "Dockerfile"), re.MULTILINE)
    names = [name for name, _ in instructions]
    assert names.count("FROM") == 2
    assert [argument for name, argument in instructions if name == "USER"] == ["10001:10001"]
    # Nothing is done as root after it.
    assert "RUN" not in names[names.index("USER") :]
    assert "HEALTHCHECK" in names
    assert dict(instructions)["ENTRYPOINT"] == '["headwater"]'
    for name, argument in instructions:
        if name in ("ARG", "ENV"):
            assert not SECRET_WORDS.search(argument), argument


def test_the_image_gets_the_packages_and_nothing_else() -> None:
    lines = [line for line in text_of(ROOT / ".dockerignore").splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    packages = {
        pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert sent == packages | {
        "pyproject.toml",
        "setup.py",
        "MANIFEST.in",
        "constraints.txt",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
    }
    assert all((ROOT / name).exists() for name in sent)


# Units ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists_and_is_hardened(path: Path) -> None:
    service = unit(path)["Service"]
    program, command = service["ExecStart"].split()
    assert program == "/opt/headwater/bin/headwater"
    assert command in {entry.name for entry in COMMANDS}
    assert service["User"] == "headwater"
    for name, value in {
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "RestrictNamespaces": "yes",
        "SystemCallArchitectures": "native",
    }.items():
        assert service[name] == value, name
    given = {line.split(":")[0] for line in lines_of(path, "LoadCredential")}
    asked = set(re.findall(r"=%d/([a-z-]+)$", text_of(path), re.MULTILINE))
    assert asked == given
    for line in lines_of(path, "Environment"):
        name, _, value = line.partition("=")
        if SECRET_WORDS.search(name):
            assert name.endswith("_FILE"), line
            assert value.startswith("%d/"), line


def test_units_that_start_commands_leave_them_alone() -> None:
    for name in ("headwater-up", "headwater-worker"):
        assert lines_of(DEPLOY / "systemd" / f"{name}.service", "KillMode") == ["process"]


# Chart ------------------------------------------------------------------------------------------------------


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load(text_of(CHART / "Chart.yaml"))
    version = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_values_fit_their_schema_and_lack_the_secret_alone() -> None:
    schema = json.loads(text_of(CHART / "values.schema.json"))
    values = yaml.safe_load(text_of(CHART / "values.yaml"))
    validator = jsonschema.Draft7Validator(schema)
    (missing,) = validator.iter_errors(values)
    assert list(missing.path) == ["existingSecret"]
    assert not list(validator.iter_errors(values | {"existingSecret": "headwater"}))
    # What is a secret, or drawn from elsewhere, is no value.
    for name in secret_settings(Settings) | {"host", "port", "data_dir"}:
        if name in ("database_url", "database_direct_url", "run_token", "host", "port", "data_dir"):
            wrong = values | {"existingSecret": "x", "settings": {name: "x"}}
            assert list(validator.iter_errors(wrong)), name


def test_the_chart_has_no_secret_of_its_own_and_turns_variables_of_services_off() -> None:
    text = "".join(text_of(path) for path in sorted((CHART / "templates").iterdir()))
    kinds = set(re.findall(r"^kind: (\w+)$", text, re.MULTILINE))
    assert kinds == {
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "Job",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
    }
    # A Service called headwater would otherwise give every pod a HEADWATER_PORT that is no number.
    assert "enableServiceLinks: false" in text
    assert "automountServiceAccountToken: false" in text
    for name in re.findall(r"- name: (HEADWATER_\w+)\n", text):
        setting = name.removeprefix("HEADWATER_").removesuffix("_FILE").lower()
        assert (setting in secret_settings(Settings)) is name.endswith("_FILE"), name
    for path in ("web", "worker", "migrate"):
        template = text_of(CHART / "templates" / f"{path}.yaml")
        for needed in ("headwater.pod", "securityContext", "resources", "secretVolume"):
            assert needed in template, (path, needed)
    values = yaml.safe_load(text_of(CHART / "values.yaml"))
    assert values["securityContext"]["readOnlyRootFilesystem"] is True
    assert values["podSecurityContext"]["runAsNonRoot"] is True


def test_probes_are_questions_that_are_known() -> None:
    asked = set()
    for path in deployment_files():
        asked |= set(re.findall(r"web\.probe[\", ]+(\w+)", text_of(path)))
    assert asked == {"live", "ready", "worker"}


def test_the_page_names_everything_that_is_here() -> None:
    page = text_of(DEPLOY / "README.md")
    for path in [*UNITS, DEPLOY / "Dockerfile", DEPLOY / "make-secrets"]:
        assert path.name in page, path
    for name in ("docker-compose.yml", "helm/headwater", "headwater.sysusers.conf"):
        assert name in page
    assert variable_of(Settings, "database_url") in page
