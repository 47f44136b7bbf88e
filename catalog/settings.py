"""Every setting with its default, its unit and its environment variable (`HEADWATER_` and the name)."""

from pathlib import Path
from typing import Self

import platformdirs
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from catalog.setting_sources import SecretFiles

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def default_data_dir() -> Path:
    """Return the platform's user data folder for Headwater."""
    return Path(platformdirs.user_data_dir("headwater", appauthor=False))


class FromEnvironment(BaseSettings):
    """Settings that come from variables with one prefix, and secrets from files that such variables name."""

    # An empty variable is what a compose file passes on for one that nobody set.
    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the parent's form; no such file is read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a folder of secrets is not read either
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, what counts most first."""
        return init_settings, env_settings, SecretFiles(settings_cls)


class ClientSettings(FromEnvironment):
    """Settings of a command that asks a server."""

    url: str | None = Field(
        None, description="The server to ask; default is the one that `headwater up` runs on the data folder."
    )
    token: SecretStr | None = Field(None, description="The token to show to it.")
    import_token: SecretStr | None = Field(
        None, description="The token to show to the server that `headwater import` reads."
    )
    debug: bool = Field(False, description="Whether an error shows its traceback.")


class Settings(FromEnvironment):
    """Settings of one process; read once, at the composition root."""

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the embedded database, run folders and the local token.",
    )
    database_url: SecretStr | None = Field(
        None, description="A PostgreSQL 15 or later to use instead of the embedded one."
    )
    database_direct_url: SecretStr | None = Field(
        None,
        description="The same database without a pooler in between; needed where `database_url` leads through one that"
        " pools transactions, such as PgBouncer with pool_mode = transaction.",
    )
    web_pool: int = Field(10, ge=4, le=500, description="Pooled database connections of each web process.")
    worker_pool: int = Field(6, ge=3, le=500, description="Pooled database connections of each worker.")
    host: str = Field("127.0.0.1", description="Address to listen on; anything but loopback needs tokens.")
    port: int = Field(8642, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    public_url: str | None = Field(
        None, description="Where started runs and people reach this server; default http://HOST:PORT."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Host header values accepted beside loopback names and the address listened on.",
    )

    max_event_bytes: int = Field(10 * MIB, gt=0, description="Largest single event, decoded, in bytes.")
    max_batch_bytes: int = Field(64 * MIB, gt=0, description="Largest batch, decoded, in bytes.")
    max_batch_events: int = Field(10_000, gt=0, description="Most events in one batch.")
    max_event_depth: int = Field(64, gt=0, description="Deepest nesting of an event.")
    ingest_queue_bytes: int = Field(
        128 * MIB, gt=0, description="Bytes of events that may wait for a commit before ingest answers 503."
    )
    min_free_disk_bytes: int = Field(1 * GIB, ge=0, description="Free disk below which ingest answers 503.")
    redact_paths: list[str] = Field(
        default_factory=list,
        description="JSON pointers whose values are redacted on receipt; * stands for any one segment.",
    )

    follower_batch: int = Field(1_000, gt=0, description="Most facts in one transaction of a follower.")
    follower_poll_seconds: float = Field(
        1.0, gt=0, description="How often a follower looks for work although nothing woke it."
    )
    max_causal_depth: int = Field(
        50, gt=0, description="Longest chain of pipeline runs that cause each other."
    )

    allow_commands: list[Path] = Field(
        default_factory=list, description="Folders in which `command` pipelines may run on this worker."
    )
    run_token: SecretStr | None = Field(
        None, description="Token (role producer) that started runs report with; needed beyond loopback."
    )
    job_threads: int = Field(16, gt=0, description="Threads in which the worker runs jobs.")
    host_lost_seconds: float = Field(
        60.0, gt=0, description="Silence after which a host's attempts are declared lost."
    )
    run_output_bytes: int = Field(
        1 * MIB, gt=0, description="Bytes of output kept for each attempt: the first half and the last half."
    )
    run_output_days: int = Field(
        30,
        gt=0,
        description="Days after its end for which an attempt's output and folder are kept on its host.",
    )

    event_days: int | None = Field(
        None,
        gt=0,
        le=36_500,
        description="Days after receipt for which bodies of OpenLineage events are kept; if nothing is said, for ever.",
    )

    outbound_allow_private: bool = Field(
        True,
        description="Whether requests to engines may go to private networks (10.0.0.0/8, fc00::/7 and such).",
    )
    outbound_allow_loopback: bool | None = Field(
        None,
        description="Whether they may go to this machine; if nothing is said, where `up` listens on loopback alone.",
    )
    outbound_ca_bundle: Path | None = Field(
        None,
        description="PEM file with further authorities whose certificates are trusted in requests to engines.",
    )
    outbound_proxy: SecretStr | None = Field(
        None,
        description="URL of an HTTP proxy for requests to engines; it resolves names and decides where they may lead.",
    )

    query_timeout_seconds: float = Field(15.0, gt=0, description="Longest time one GraphQL query may take.")
    query_max_depth: int = Field(15, gt=0, description="Deepest nesting of a GraphQL query.")
    query_max_complexity: int = Field(
        200_000, gt=0, description="Most fields that a GraphQL query may ask to resolve."
    )

    log_format: str = Field(
        "auto", description="auto (console on a terminal, JSON elsewhere), console or json."
    )
    log_level: str = Field("info", description="debug, info, warning or error.")

    @model_validator(mode="after")
    def _check_direct_url(self) -> Self:
        if self.database_direct_url is not None and self.database_url is None:
            raise ValueError(
                "expected HEADWATER_DATABASE_URL beside HEADWATER_DATABASE_DIRECT_URL, found none"
            )
        return self

    @property
    def reachable_url(self) -> str:
        """The URL under which runs on this machine report, unless `public_url` says otherwise."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104 - compared only
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def secrets_dir(self) -> Path:
        """Folder of the secrets that documents name by `file:`."""
        return self.data_dir / "secrets"

    @property
    def runs_dir(self) -> Path:
        """Folder with a subfolder for each attempt that was started on this host."""
        return self.data_dir / "runs"

    @property
    def worker_life_file(self) -> Path:
        """File whose time says when a worker of this folder was alive last."""
        return self.data_dir / "worker-alive"

    @property
    def local_token_file(self) -> Path:
        """File (mode 0600) with the token that writes from this machine need."""
        return self.data_dir / "local-token"
