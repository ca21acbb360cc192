"""How access, requests and the audit log look to a machine, and what it may send."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from catalogue.access import State
from catalogue.api.paging import PageQuery
from catalogue.api.resource import StrictSerializer
from catalogue.models import AuditEvent, Guest, Notice, Request, Tombstone

_LONGEST = 2000


def _one_of(values: Iterable[str], **options: Any) -> serializers.CharField:
    return serializers.CharField(help_text=" or ".join(values), **options)


class TombstoneSerializer(serializers.Serializer[Any]):
    kind = _one_of(Tombstone.Kind.values)
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()


class CauseSerializer(serializers.Serializer[Any]):
    dataset = serializers.UUIDField(source="dataset.pid")
    title = serializers.CharField(source="dataset.title")
    reason = serializers.CharField()
    made_at = serializers.DateTimeField()


class AccessDetailsSerializer(serializers.Serializer[Any]):
    state = _one_of([state.value for state in State], source="state.state")
    is_open = serializers.BooleanField(source="state.is_open")
    opens_on = serializers.DateField(
        source="state.opens_on", allow_null=True, help_text="Null if open, or if no day is set."
    )
    is_readable = serializers.BooleanField(help_text="Whether you may read the files.")
    why = serializers.CharField(help_text="Why you can see this dataset.")
    tombstone = TombstoneSerializer(source="stone", allow_null=True)
    causes = CauseSerializer(
        many=True, help_text="The inputs that it was retracted with, of those that you see."
    )
    can = serializers.SerializerMethodField(help_text="What you can do about it today.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_can(self, banner: Any) -> list[str]:
        return [deed.slug for deed, _ in banner.deeds]


class WishSerializer(StrictSerializer):
    kind = serializers.ChoiceField(Request.Kind.choices)
    reason = serializers.CharField(max_length=_LONGEST)


class RequestSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    url = serializers.HyperlinkedIdentityField(
        view_name="api-request", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    kind = _one_of(Request.Kind.values)
    state = _one_of(Request.State.values)
    dataset = serializers.SerializerMethodField(help_text="Null if it is hidden from you now.")
    person = serializers.CharField(help_text="Name of who asks.")
    reason = serializers.CharField()
    filed_at = serializers.DateTimeField()
    due_on = serializers.DateField(
        allow_null=True, help_text="When an early release takes effect, without objection."
    )
    decided_by = serializers.CharField(allow_null=True, help_text="A name.")
    decided_at = serializers.DateTimeField(allow_null=True)
    answer = serializers.CharField()

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_dataset(self, row: Request) -> str | None:
        is_named = row.dataset_id in self.context["named"]
        return str(row.dataset.pid) if is_named else None


class RequestQuery(PageQuery):
    kind = serializers.ChoiceField(Request.Kind.choices, required=False)
    state = serializers.ChoiceField(Request.State.choices, required=False)


class DecisionSerializer(StrictSerializer):
    outcome = serializers.ChoiceField(["granted", "refused"])
    answer = serializers.CharField(max_length=_LONGEST, default="", allow_blank=True)
    day = serializers.DateField(
        required=False,
        help_text="The last day of a visit, or the one on which proprietary data open.",
    )


class ObjectionSerializer(StrictSerializer):
    answer = serializers.CharField(max_length=_LONGEST)


class RulingSerializer(StrictSerializer):
    opens_on = serializers.DateField(help_text="From this day on everybody may read the data.")
    reason = serializers.CharField(max_length=_LONGEST)


class RetractionSerializer(StrictSerializer):
    kind = serializers.ChoiceField(
        Tombstone.Kind.choices, help_text="Withdraw for legal reasons only."
    )
    reason = serializers.CharField(max_length=_LONGEST)


class UndoingSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=_LONGEST, help_text="Everybody told of it reads it.")


class NamedDatasetSerializer(serializers.Serializer[Any]):
    dataset = serializers.UUIDField(source="pid")
    title = serializers.CharField()


class CitedSerializer(serializers.Serializer[Any]):
    doi = serializers.CharField()
    title = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    is_retracted = serializers.BooleanField(help_text="This very dataset was retracted before.")
    derived = serializers.IntegerField(help_text="How many datasets stem from it.")
    retracted_before = serializers.IntegerField(help_text="How many of these were taken back.")
    owners = serializers.IntegerField(help_text="How many people own some; each gets one notice.")
    takers = serializers.IntegerField(help_text="How many have downloaded some; as well.")
    publications = serializers.IntegerField(
        help_text="How many stand on it, or on what is derived."
    )
    shown = NamedDatasetSerializer(many=True, help_text="The newest of those that you see.")
    cited = CitedSerializer(many=True, help_text="Publications on datasets that you see.")


class EndingSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=_LONGEST)


class GuestSerializer(serializers.Serializer[Guest]):
    person = serializers.UUIDField(source="person.pid")
    name = serializers.CharField(source="person")
    valid_to = serializers.DateField(help_text="The last day.")
    granted_by = serializers.CharField(allow_null=True, help_text="A name.")


class GuestListSerializer(serializers.Serializer[Any]):
    results = GuestSerializer(many=True)


class EventSerializer(serializers.Serializer[AuditEvent]):
    at = serializers.DateTimeField()
    who = serializers.CharField()
    act = serializers.CharField(help_text="embargo.extended, dataset.retracted and so on.")
    subject_kind = serializers.CharField()
    subject = serializers.CharField(help_text="Its public identifier.")
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    reason = serializers.CharField()


class AuditQuery(PageQuery):
    act = serializers.CharField(
        required=False, max_length=40, help_text="Or how it begins: embargo."
    )
    subject = serializers.CharField(required=False, max_length=200)
    who = serializers.CharField(required=False, max_length=200, help_text="A part of the name.")
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)


class NoticeSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    kind = _one_of(Notice.Kind.values)
    text = serializers.CharField()
    dataset = serializers.UUIDField(source="dataset.pid", allow_null=True)
    made_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class ReadingSerializer(StrictSerializer):
    notices = serializers.ListField(
        child=serializers.UUIDField(),
        max_length=500,
        default=list,
        help_text="Which ones; all of them if none is named.",
    )
