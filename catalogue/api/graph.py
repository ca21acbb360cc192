"""The provenance graph about a dataset, for machines that draw it."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue import ancestry
from catalogue.access import get_dataset
from catalogue.api.resource import Resource, StrictSerializer, problems, read_query
from catalogue.models import Activity, Dataset

_TYPES = ["dataset", "activity"]


class GraphQuery(StrictSerializer):
    up = serializers.IntegerField(
        min_value=0, max_value=ancestry.FURTHEST, default=5, help_text="Generations before it."
    )
    down = serializers.IntegerField(
        min_value=0, max_value=ancestry.FURTHEST, default=5, help_text="Generations after it."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=ancestry.MOST, default=500, help_text="Nodes, hidden ones too."
    )


class NodeSerializer(serializers.Serializer[Any]):
    """A node; of a hidden one there are ``id``, ``type`` and ``is_hidden``, all else is null."""

    id = serializers.CharField(
        source="name", help_text="The pid, or hidden-1 and so on, numbered anew in each answer."
    )
    type = serializers.ChoiceField(_TYPES)
    is_hidden = serializers.BooleanField()
    is_retracted = serializers.BooleanField()
    title = serializers.CharField(allow_null=True, help_text="Of a dataset.")
    kind = serializers.CharField(
        allow_null=True, help_text="raw or derived; acquisition or processing."
    )
    content = serializers.CharField(allow_null=True, help_text="Of a dataset: nexus-scan, poni.")
    recipe = serializers.CharField(allow_null=True, help_text="Of an activity: xrd-map@1.0.0.")
    started_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, node: ancestry.Node) -> dict[str, Any]:
        shown = {"name": node.name, "type": node.type, "is_retracted": node.is_retracted}
        return super().to_representation({**_NOTHING, **shown, **_tell(node.row)})


_NOTHING = dict.fromkeys(["title", "kind", "content", "recipe", "started_at"])


def _tell(row: Dataset | Activity | None) -> dict[str, Any]:
    """Tell what is public of a row; the title of an activity may quote a hidden input's."""
    if row is None:
        return {"is_hidden": True}
    told: dict[str, Any] = {"is_hidden": False, "kind": row.kind}
    if isinstance(row, Dataset):
        return told | {"title": row.title, "content": row.content, "started_at": row.start_time}
    recipe = f"{row.recipe}@{row.version}" if row.recipe else None
    return told | {"recipe": recipe, "started_at": row.started_at}


class LinkSerializer(serializers.Serializer[Any]):
    """From what was used to the activity, or from the activity to what it generated."""

    source = serializers.CharField()  # type: ignore[assignment]  # DRF moves fields away from the class
    target = serializers.CharField()
    role = serializers.CharField(help_text="Empty where the activity is hidden.")


class GraphSerializer(serializers.Serializer[Any]):
    dataset = serializers.UUIDField(help_text="What was asked about.")
    nodes = NodeSerializer(many=True)
    links = LinkSerializer(many=True)
    cut = serializers.CharField(help_text="What was left out, in a sentence; empty if nothing was.")


class ProvenanceGraph(Resource):
    @extend_schema(
        operation_id="get_provenance_graph",
        summary="What a dataset stems from and what stems from it, as nodes and links",
        description="What you may not see keeps its place and its type, and nothing else.",
        parameters=[GraphQuery],
        responses={200: GraphSerializer, **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(GraphQuery, request)
        dataset = get_dataset(request.user, pid)
        found = ancestry.graph(request.user, dataset, **asked)
        return Response(_describe(dataset.pid, found))


def _describe(pid: UUID, graph: ancestry.Graph) -> dict[str, Any]:
    told = {"dataset": pid, "nodes": graph.nodes, "links": graph.links, "cut": graph.cut}
    described: dict[str, Any] = GraphSerializer(told).data
    return described
