"""What a pipeline's runs are seen to read and write beyond what its document says."""

from collections.abc import Mapping, Sequence

from hooks.deciding.planning import read_undeclared
from policies.undeclared import PipelineWarning
from web.graphql.records import PipelineRecord
from web.graphql.request import QueryRequest


def pipeline_warnings(
    request: QueryRequest, members: Sequence[PipelineRecord]
) -> Mapping[str, list[PipelineWarning]]:
    """Return for each pipeline what its jobs do now that stands in no `when` and no `produces`."""
    documents = {member.name: member.document for member in members}
    return request.read(lambda connection: read_undeclared(connection, documents))
