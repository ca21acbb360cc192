"""Teams of proposals, for machines."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalogue import team
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, StrictSerializer, problems, read_body, read_query
from catalogue.models import Membership

_ORDER = ("person__full_name", "person__pid", "source")
_LONGEST = 2000


class MembershipSerializer(serializers.Serializer[Membership]):
    """What one source says of a person; the others stand beside it."""

    person = serializers.UUIDField(source="person.pid")
    name = serializers.CharField(source="person")
    role = serializers.CharField(help_text=" or ".join(Membership.Role.values))
    source = serializers.CharField(  # type: ignore[assignment]  # DRF moves fields away from the class
        help_text=" or ".join(Membership.Source.values)
    )
    valid_from = serializers.DateField(allow_null=True, help_text="The first day.")
    valid_to = serializers.DateField(allow_null=True, help_text="The last day.")


class NewMembershipSerializer(StrictSerializer):
    person = serializers.CharField(max_length=200, help_text="Account name or ORCID iD.")
    role = serializers.ChoiceField(Membership.Role.choices, default=Membership.Role.MEMBER)
    valid_from = serializers.DateField(default=None, allow_null=True, help_text="The first day.")
    valid_to = serializers.DateField(default=None, allow_null=True, help_text="The last day.")
    reason = serializers.CharField(max_length=_LONGEST)


class EndedMembershipQuery(StrictSerializer):
    reason = serializers.CharField(max_length=_LONGEST)


class Members(Resource):
    @extend_schema(
        operation_id="list_members",
        summary="Who is on the team of a proposal of yours, by each source that says so",
        parameters=[PageQuery],
        responses={200: page_of(MembershipSerializer), **problems(400, 404)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        proposal = team.get_proposal(request.user, pid)
        rows = team.list_members(request.user, proposal)
        return read_page(request, asked, rows, _ORDER).answer(MembershipSerializer, {})

    @extend_schema(
        operation_id="add_member",
        summary="Let somebody be on the team of a proposal",
        description="For its principal investigators and data stewards.",
        request=NewMembershipSerializer,
        responses={201: MembershipSerializer, **problems(400, 404, 409, 415, 422)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked: dict[str, Any] = read_body(NewMembershipSerializer, request)
        reason = asked.pop("reason")
        proposal = team.get_proposal(request.user, pid)
        added = team.add_member(request.user, proposal, team.Stay(**asked), reason)
        return Response(MembershipSerializer(added).data, 201)


class OneMember(Resource):
    @extend_schema(
        operation_id="end_membership",
        summary="End what was given by hand to a person",
        description="What the user office or the sign-in says stays: it is ended there.",
        parameters=[EndedMembershipQuery],
        responses={204: None, **problems(400, 404, 409)},
    )
    def delete(self, request: Request, pid: str, person: str) -> Response:
        asked = read_query(EndedMembershipQuery, request)
        proposal = team.get_proposal(request.user, pid)
        membership = team.get_membership(request.user, proposal, person)
        team.end_membership(request.user, membership, asked["reason"])
        return Response(status=204)
