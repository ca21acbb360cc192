"""How what people add to datasets looks to a machine, and what it may send."""

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from catalogue.api.resource import StrictSerializer
from catalogue.models import Attachment, Collection, Dataset, Publication, QualityFlag


class NoteSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    person = serializers.CharField(allow_null=True, help_text="Name of who wrote it.")
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class NewNoteSerializer(StrictSerializer):
    text = serializers.CharField(max_length=10_000)


class QualityFlagSerializer(serializers.Serializer[Any]):
    """A judgement on the data; the latest one counts."""

    verdict = serializers.ChoiceField(QualityFlag.Verdict.choices)
    reason = serializers.CharField()
    person = serializers.CharField(allow_null=True, help_text="Name of who judged.")
    given_at = serializers.DateTimeField()


class NewQualityFlagSerializer(StrictSerializer):
    verdict = serializers.ChoiceField(QualityFlag.Verdict.choices)
    reason = serializers.CharField(max_length=1000)


class AttachmentSerializer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    dataset = serializers.UUIDField(source="dataset.pid")
    name = serializers.CharField()
    caption = serializers.CharField()
    media_type = serializers.CharField(help_text="By its bytes, whatever its name says.")
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    person = serializers.CharField(allow_null=True, help_text="Name of who added it.")
    added_at = serializers.DateTimeField()
    content = serializers.SerializerMethodField()

    def get_content(self, row: Attachment) -> str:
        return reverse("api-attachment-content", [row.uuid], request=self.context["request"])


class NewAttachmentSerializer(StrictSerializer):
    file = serializers.FileField(help_text="A picture, PDF or plain text.", allow_empty_file=True)
    caption = serializers.CharField(max_length=500, default="", allow_blank=True)


class PublicationSerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    doi = serializers.CharField()
    title = serializers.CharField()
    authors = serializers.ListField(child=serializers.CharField())
    year = serializers.IntegerField(allow_null=True)
    abstract = serializers.CharField()
    datasets = serializers.SerializerMethodField(help_text="Those that you may see.")

    def get_datasets(self, row: Publication) -> list[str]:
        seen: list[Dataset] = row.seen  # type: ignore[attr-defined]  # as list_publications gives it
        return [str(dataset.pid) for dataset in seen]


class NewPublicationSerializer(StrictSerializer):
    doi = serializers.CharField(max_length=230)
    title = serializers.CharField(max_length=1000)
    authors = serializers.ListField(
        child=serializers.CharField(max_length=200), default=list, max_length=500
    )
    year = serializers.IntegerField(
        min_value=1900, max_value=2199, required=False, allow_null=True, default=None
    )
    abstract = serializers.CharField(max_length=20_000, default="", allow_blank=True)


class CollectionSerializer(serializers.Serializer[Any]):
    pid = serializers.UUIDField()
    url = serializers.HyperlinkedIdentityField(view_name="api-collection", lookup_field="pid")
    title = serializers.CharField()
    description = serializers.CharField()
    owner = serializers.CharField(help_text="Name of whose it is.")
    is_shared = serializers.BooleanField(help_text="Whether everybody sees the list.")
    made_at = serializers.DateTimeField()


class OneCollectionSerializer(CollectionSerializer):
    hidden = serializers.SerializerMethodField(
        help_text="How many of its datasets you may not see; told to its owner only."
    )
    datasets = serializers.SerializerMethodField(help_text="An address: what you see of it.")

    def get_hidden(self, _: Collection) -> int | None:
        hidden: int | None = self.context["hidden"]
        return hidden

    def get_datasets(self, row: Collection) -> str:
        return reverse("api-collection-datasets", [row.pid], request=self.context["request"])


class NewCollectionSerializer(StrictSerializer):
    title = serializers.CharField(max_length=500)
    description = serializers.CharField(max_length=20_000, default="", allow_blank=True)
    is_shared = serializers.BooleanField(default=False)


class CollectionChangesSerializer(StrictSerializer):
    """What is left out stays as it is."""

    title = serializers.CharField(max_length=500, required=False)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    is_shared = serializers.BooleanField(required=False)


class CollectedSerializer(serializers.Serializer[Any]):
    """A dataset in a collection, in its order."""

    pid = serializers.UUIDField(source="dataset.pid")
    url = serializers.SerializerMethodField()
    title = serializers.CharField(source="dataset.title")
    position = serializers.IntegerField()

    def get_url(self, row: Any) -> str:
        return reverse("api-dataset", [row.dataset.pid], request=self.context["request"])


class CollectSerializer(StrictSerializer):
    dataset = serializers.UUIDField()


class PlaceSerializer(StrictSerializer):
    place = serializers.IntegerField(
        min_value=1, required=False, help_text="Among those you see, from 1."
    )
