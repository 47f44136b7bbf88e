"""The part of a Pipeline document that starts a run as a DAG run of Apache Airflow 3.

Source: the stable REST API of Airflow 3 (`/api/v2`), and `/auth/token` of its auth managers.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from catalog.documents.http_launcher import MAX_URL, HttpTimeouts, Interval, JsonBody, LaunchUrl
from catalog.documents.references import DocumentModel
from catalog.documents.secret_name import SecretName
from catalog.documents.template import body_fault


def _without_query(url: str) -> str:
    if "?" in url or "$" in url:
        raise PydanticCustomError("url", "expected a URL without a query and without variables")
    return url


AirflowUrl = Annotated[
    LaunchUrl,
    AfterValidator(_without_query),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^https?://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[!\"%->@-~]*)?$",
            "maxLength": MAX_URL,
        }
    ),
]
#: What Airflow takes for the id of a DAG, but for ids that begin with a dot, which would be steps in a path.
DagId = Annotated[str, StringConstraints(pattern=r"^[^\s/\\?#%.][^\s/\\?#%]{0,249}$")]


class NamedSecret(DocumentModel):
    """A secret by name; it is read when Airflow is asked and stored nowhere."""

    secret: SecretName = Field(
        description="`env:HEADWATER_SECRET_…`, a variable of the worker, or `file:NAME` in its secrets.",
        examples=["env:HEADWATER_SECRET_AIRFLOW_PASSWORD"],
    )


def _not_written_out(value: Any) -> Any:
    if not isinstance(value, dict | NamedSecret):
        # What stands here by mistake may be the secret itself, so it is not repeated.
        raise PydanticCustomError(
            "secret_name", "expected a mapping with secret, found a value that is not shown"
        )
    return value


Secret = Annotated[NamedSecret, BeforeValidator(_not_written_out)]
"""A secret by name, and never a text."""


class PasswordCredentials(DocumentModel):
    """A user of Airflow, for whom `/auth/token` gives a token; it is asked for anew when it has expired."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="The user's name.", examples=["headwater"]
    )
    password: Secret = Field(description="The user's password, a secret by name.")


class TokenCredentials(DocumentModel):
    """A token that something else keeps valid, as services that run Airflow for others give it."""

    token: Secret = Field(description="The token, a secret by name.")


def _credentials_tag(value: Any) -> str:
    by_token = isinstance(value, TokenCredentials) or (isinstance(value, dict) and "token" in value)
    return "<token>" if by_token else "<password>"


Credentials = Annotated[
    Annotated[PasswordCredentials, Tag("<password>")] | Annotated[TokenCredentials, Tag("<token>")],
    Discriminator(_credentials_tag),
]
"""User and password, or a token."""


class AirflowLauncher(DocumentModel):
    """Starts a run as a DAG run of Airflow 3, whose id follows from the attempt, and asks how it stands."""

    url: AirflowUrl = Field(
        description="Where Airflow is, without `/api/v2`; host and port are written out.",
        examples=["https://airflow.example"],
    )
    dag: DagId = Field(description="The DAG's id.", examples=["orders_report"])
    credentials: Credentials | None = Field(
        None,
        description="Who asks: `username` and `password`, or `token`; none where Airflow asks for nobody.",
    )
    conf: dict[str, JsonBody] = Field(
        default={"headwater": "${trigger}"},
        description="The DAG run's `conf`, with variables in its texts; `openlineage` is added, so that what the "
        "DAG run reports is a child of the pipeline run.",
        examples=[{"partition": "${version.partition}"}],
    )
    logical_date: Literal["due", "none"] = Field(
        "due",
        description="`due`: the instant at which the run became due; `none`: the DAG run has none, and its "
        "templates have no `ds`.",
    )
    when_paused: Literal["wait", "fail"] = Field(
        "wait",
        description="What happens while the DAG is paused in Airflow: the run is started when it no longer is "
        "(`wait`), or the attempt has failed (`fail`).",
    )
    interval: Interval = Field(timedelta(seconds=10), description="Time between two questions; at least 1s.")
    timeouts: HttpTimeouts = Field(
        HttpTimeouts(), description="How long to wait for Airflow; `answer` covers all requests of one step."
    )

    @field_validator("conf")
    @classmethod
    def _known_variables(cls, conf: dict[str, Any]) -> dict[str, Any]:
        fault = body_fault(conf)
        if fault is not None:
            raise PydanticCustomError("conf", "{reason}", {"reason": fault})
        return conf
