"""The document kind `VersionScope`: which run's end makes a version of what a job writes."""

from collections.abc import Iterable
from typing import Literal

from pydantic import ConfigDict, Field

from catalog.documents.references import DocumentModel, Metadata, OpenLineageName
from catalog.keys import JobKey

Scope = Literal["run", "rootRun"]

DEFAULT_SCOPE: Scope = "run"


class VersionScopeSpec(DocumentModel):
    """Which jobs are meant, and whose end makes their versions."""

    namespace: OpenLineageName = Field(description="The jobs' OpenLineage namespace.", examples=["spark"])
    job: OpenLineageName | None = Field(
        None, description="One job of the namespace; all of them where this is left out."
    )
    scope: Scope = Field(
        description="`run`: each run that completes makes a version of each output. `rootRun`: one version "
        "of a dataset when the root run ends, however many of its runs wrote it."
    )


class VersionScope(DocumentModel):
    """Says for the jobs of a namespace whether a run or its root run makes dataset versions."""

    model_config = ConfigDict(title="VersionScope")

    api_version: Literal["headwater/v1"] = Field(description="The version of this form.")
    kind: Literal["VersionScope"] = Field(description="What the document declares.")
    metadata: Metadata = Field(description="Name, owner and description.")
    spec: VersionScopeSpec = Field(description="Which jobs are meant, and which run ends for them.")


def scope_of(job: JobKey, documents: Iterable[VersionScope]) -> Scope:
    """Return the scope of a job's versions: its own document decides before its namespace's.

    Where two documents speak of the same job or namespace, the one whose name is smallest decides.
    """
    candidates = [
        document
        for document in documents
        if document.spec.namespace == job.namespace and document.spec.job in {None, job.name}
    ]
    decisive = min(
        candidates, key=lambda document: (document.spec.job is None, document.metadata.name), default=None
    )
    return DEFAULT_SCOPE if decisive is None else decisive.spec.scope
