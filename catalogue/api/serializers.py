"""How the catalogue's rows look to a machine, and what it may send."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from catalogue.access import AccessState, access_state, may_read
from catalogue.api.resource import StrictSerializer
from catalogue.models import Activity, Dataset, Parameter, Proposal


def _link(view: str, key: str = "pid", path: str = "") -> serializers.HyperlinkedIdentityField:
    """Link to another address of the same row, ``path`` steps away from it."""
    return serializers.HyperlinkedIdentityField(
        view_name=view, lookup_field=f"{path}{key}", lookup_url_kwarg=key
    )


class FacilitySerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()


class InstrumentSerializer(FacilitySerializer):
    pid = serializers.UUIDField()


class ProposalSerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    number = serializers.CharField()
    title = serializers.CharField()


class SampleSerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    name = serializers.CharField()
    chemical_formula = serializers.CharField()


class TechniqueSerializer(serializers.Serializer[Any]):
    pid = serializers.CharField(help_text="Term of PaNET, PaNET01216.")
    name = serializers.CharField()
    iri = serializers.URLField()


class AccessSerializer(serializers.Serializer[Any]):
    is_open = serializers.BooleanField(help_text="Whether everybody may read it today.")
    opens_on = serializers.DateField(
        allow_null=True, help_text="First open day; null if open, or if nobody knows when."
    )


class ParameterSerializer(serializers.Serializer[Any]):
    """A quantity as written, and as a number in SI base units where the unit is known."""

    name = serializers.CharField()
    value = serializers.SerializerMethodField("read_value")
    unit = serializers.CharField()
    si_value = serializers.FloatField(source="si_number", allow_null=True)
    si_unit = serializers.CharField()

    @extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string"}]})
    def read_value(self, row: Parameter) -> float | str:
        return row.text if row.number is None else row.number


class DatasetSummarySerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    url = _link("api-dataset")
    kind = serializers.ChoiceField(Dataset.Kind.choices)
    content = serializers.CharField(help_text="What recipes ask for, nexus-scan.")
    title = serializers.CharField()
    facility = serializers.CharField(source="facility.slug")
    instrument = serializers.CharField(source="instrument.slug", allow_null=True)
    start_time = serializers.DateTimeField(allow_null=True)
    end_time = serializers.DateTimeField(allow_null=True)
    size = serializers.IntegerField(help_text="In bytes, of all files.")
    file_count = serializers.IntegerField()
    is_open = serializers.SerializerMethodField(help_text="Whether everybody may read it today.")

    def get_is_open(self, row: Dataset) -> bool:
        return bool(self.context["states"][row.pk].is_open)


class DatasetSerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    url = _link("api-dataset")
    kind = serializers.ChoiceField(Dataset.Kind.choices)
    content = serializers.CharField(help_text="What recipes ask for, nexus-scan.")
    title = serializers.CharField()
    description = serializers.CharField()
    revision = serializers.IntegerField(help_text="Of what is said of it; the ETag holds it.")
    tags = serializers.SerializerMethodField()
    facility = FacilitySerializer()
    instrument = InstrumentSerializer(allow_null=True)
    proposals = serializers.SerializerMethodField()
    samples = SampleSerializer(many=True)
    techniques = TechniqueSerializer(many=True)
    run_number = serializers.IntegerField(allow_null=True)
    start_time = serializers.DateTimeField(allow_null=True)
    end_time = serializers.DateTimeField(allow_null=True)
    registered_at = serializers.DateTimeField()
    size = serializers.IntegerField(help_text="In bytes, of all files.")
    file_count = serializers.IntegerField()
    digest = serializers.CharField(help_text="SHA-256 over all files: what a run key names.")
    licence = serializers.CharField(help_text="SPDX identifier, valid once it is open.")
    access = serializers.SerializerMethodField()
    parameters = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField(
        help_text="For whoever may read the data: they may name files."
    )
    generated_by = serializers.UUIDField(
        source="generated_by.activity.pid", allow_null=True, help_text="An activity."
    )
    files = _link("api-dataset-files")
    lineage = _link("api-dataset-lineage")
    graph = _link("api-dataset-graph")
    notes = _link("api-notes")
    quality = _link("api-quality")
    attachments = _link("api-attachments")
    publications = _link("api-dataset-publications")
    thumbnail = serializers.SerializerMethodField()

    def get_tags(self, row: Dataset) -> list[str]:
        return [tag.name for tag in row.tags.all()]

    @extend_schema_field(ProposalSerializer(many=True))
    def get_proposals(self, row: Dataset) -> Any:
        guards = row.guards.filter(proposal__isnull=False).select_related("proposal")
        proposals: dict[UUID, Proposal] = {g.proposal.pid: g.proposal for g in guards if g.proposal}
        return ProposalSerializer(list(proposals.values()), many=True).data

    @extend_schema_field(ParameterSerializer(many=True))
    def get_parameters(self, row: Dataset) -> Any:
        parameters = row.parameters.select_related("key").order_by("key__name")
        return ParameterSerializer(parameters, many=True).data

    def get_warnings(self, row: Dataset) -> list[str]:
        return list(row.warnings) if may_read(self.context["request"].user, row) else []

    @extend_schema_field(AccessSerializer)
    def get_access(self, row: Dataset) -> Any:
        state: AccessState = access_state(row)
        return AccessSerializer(state).data

    @extend_schema_field({"type": "string", "format": "uri", "nullable": True})
    def get_thumbnail(self, row: Dataset) -> str | None:
        if not row.thumbnail:
            return None
        return reverse("api-dataset-thumbnail", [row.pid], request=self.context["request"])


class RegistrationSerializer(StrictSerializer):
    """Where the files of a raw dataset are, and what they do not say themselves."""

    path = serializers.CharField(
        max_length=1000,
        help_text="Relative to the store, or absolute inside any declared store.",
    )
    store = serializers.SlugField(default="", allow_blank=True)
    instrument = serializers.SlugField(
        default="", allow_blank=True, help_text="If the files do not name it."
    )
    proposal = serializers.CharField(
        default="", allow_blank=True, max_length=60, help_text="Its number."
    )


class DataFileSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    url = _link("api-file", "uuid")
    dataset = serializers.UUIDField(source="dataset.pid")
    path = serializers.CharField(help_text="Relative to the dataset.")
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    media_type = serializers.CharField()
    store = serializers.CharField(source="store.slug")
    content = _link("api-file-content", "uuid")


class ActivitySummarySerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    url = _link("api-activity")
    kind = serializers.CharField(help_text=" or ".join(Activity.Kind.values))
    title = serializers.CharField()
    recipe = serializers.CharField()
    version = serializers.CharField()
    person = serializers.CharField(allow_null=True, help_text="Name of who asked for it.")
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class EdgeSerializer(serializers.Serializer[Any]):
    role = serializers.CharField()
    dataset = serializers.UUIDField(
        source="dataset.pid", allow_null=True, help_text="Null if it is hidden from you."
    )


class ActivitySerializer(ActivitySummarySerializer):
    run_key = serializers.CharField(help_text="SHA-256 of the key document.")
    key_document = serializers.SerializerMethodField(
        help_text="What the result depends on, as JSON; empty where its bytes are closed to you."
    )
    parameters = serializers.DictField()
    environment = serializers.DictField()
    used = serializers.SerializerMethodField()
    generated = serializers.SerializerMethodField()

    def get_key_document(self, row: Activity) -> str:
        # It names checksums of inputs, as the bytes of the results do.
        return row.key_document if self.context["is_cleared"] else ""

    @extend_schema_field(EdgeSerializer(many=True))
    def get_used(self, _: Activity) -> Any:
        return EdgeSerializer(self.context["step"].used, many=True).data

    @extend_schema_field(EdgeSerializer(many=True))
    def get_generated(self, _: Activity) -> Any:
        return EdgeSerializer(self.context["step"].generated, many=True).data


class StepSerializer(serializers.Serializer[Any]):
    """One activity with the datasets it used and generated."""

    activity = ActivitySummarySerializer()
    used = EdgeSerializer(many=True)
    generated = EdgeSerializer(many=True)


class LineageSerializer(serializers.Serializer[Any]):
    origin = StepSerializer(allow_null=True, help_text="What generated the dataset.")
    uses = StepSerializer(many=True, help_text="The newest activities that used it, at most 50.")
    all_uses = serializers.URLField(help_text="The same as a list in pages.")


class FacetValueSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF moves fields away from the class
    count = serializers.IntegerField()
    is_chosen = serializers.BooleanField()


class FacetSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF moves fields away from the class
    values = FacetValueSerializer(many=True)
    is_cut = serializers.BooleanField(
        help_text="There are more values, or too many datasets to count them."
    )


class FacetsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Datasets that match.")
    facets = FacetSerializer(many=True)
