"""Access to datasets, requests about it, rulings, the audit log and notices, for machines."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from catalogue import history, notices
from catalogue.access import get_dataset, visible_datasets
from catalogue.api import embargo_shapes as shapes
from catalogue.api.paging import PageQuery, page_of, read_page
from catalogue.api.resource import Resource, problems, read_body, read_query
from catalogue.embargo import decisions, retraction, rulings, wishes
from catalogue.embargo.banner import describe_access
from catalogue.errors import NotPermittedError
from catalogue.models import Dataset, Guest, Tombstone, User
from catalogue.models import Request as Wish
from catalogue.permissions import Act, may, require, require_account

_LATEST_EVENTS = ("-at", "subject", "act")
_EVENTS = page_of(shapes.EventSerializer)


def _access(request: Request, dataset: Dataset) -> Response:
    dataset = get_dataset(request.user, dataset.pid)
    banner = describe_access(request.user, dataset)
    return Response(shapes.AccessDetailsSerializer(banner).data)


def _named(person: User, wanted: Sequence[Wish]) -> dict[str, Any]:
    pks = {row.dataset_id for row in wanted}
    seen = visible_datasets(person).filter(pk__in=pks)
    return {"named": set(seen.values_list("pk", flat=True))}


def _wish(request: Request, wish: Wish, status: int = 200) -> Response:
    context = {"request": request, **_named(require_account(request.user), [wish])}
    body = shapes.RequestSerializer(wish, context=context).data
    address = reverse("api-request", [wish.uuid], request=request)
    return Response(body, status, headers={"Location": address} if status == 201 else None)


class Access(Resource):
    @extend_schema(
        operation_id="get_access",
        summary="Who may read a dataset from when, why you see it, what you can do about it",
        responses={200: shapes.AccessDetailsSerializer, **problems(404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        return _access(request, get_dataset(request.user, pid))


class DatasetRequests(Resource):
    @extend_schema(
        operation_id="file_request",
        summary="Ask for access, a longer embargo or an early release",
        description="An early release that is yours alone to decide takes effect at once.",
        request=shapes.WishSerializer,
        responses={201: shapes.RequestSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.WishSerializer, request)
        person, dataset = require_account(request.user), get_dataset(request.user, pid)
        kind = Wish.Kind(asked["kind"])
        ask = {
            Wish.Kind.ACCESS: wishes.ask_access,
            Wish.Kind.EXTENSION: wishes.ask_extension,
            Wish.Kind.RELEASE: wishes.ask_release,
        }[kind]
        filed = ask(person, dataset, asked["reason"])
        wish = filed or Wish.objects.filter(dataset=dataset, person=person, kind=kind).latest(
            "filed_at"
        )
        return _wish(request, wish, 201)


class Ruling(Resource):
    @extend_schema(
        operation_id="set_opening_day",
        summary="Set the day on which closed data open, as a data steward",
        request=shapes.RulingSerializer,
        responses={200: shapes.AccessDetailsSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.RulingSerializer, request)
        dataset = get_dataset(request.user, pid)
        rulings.rule(require_account(request.user), dataset, asked["opens_on"], asked["reason"])
        return _access(request, dataset)


class Retraction(Resource):
    @extend_schema(
        operation_id="preview_retraction",
        summary="What would be retracted with a dataset: nothing happens yet",
        responses={200: shapes.PreviewSerializer, **problems(404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        found = retraction.preview(require_account(request.user), dataset)
        return Response(shapes.PreviewSerializer(found).data)

    @extend_schema(
        operation_id="take_dataset_back",
        summary="Retract a dataset and all that was made from it, or withdraw it alone",
        request=shapes.RetractionSerializer,
        responses={200: shapes.AccessDetailsSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.RetractionSerializer, request)
        dataset, kind = get_dataset(request.user, pid), Tombstone.Kind(asked["kind"])
        retraction.take_back(require_account(request.user), dataset, kind, asked["reason"])
        return _access(request, dataset)


class UndoRetraction(Resource):
    @extend_schema(
        operation_id="undo_retraction",
        summary="Undo the retraction of a dataset, and of what was retracted with it",
        request=shapes.UndoingSerializer,
        responses={200: shapes.AccessDetailsSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, pid: str) -> Response:
        asked = read_body(shapes.UndoingSerializer, request)
        dataset = get_dataset(request.user, pid)
        retraction.undo(require_account(request.user), dataset, asked["reason"])
        return _access(request, dataset)


class History(Resource):
    @extend_schema(
        operation_id="read_history",
        summary="What has happened to a dataset, the latest first, for its team",
        parameters=[PageQuery],
        responses={200: _EVENTS, **problems(400, 404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        asked = read_query(PageQuery, request)
        dataset = get_dataset(request.user, pid)
        if not may(request.user, Act.EDIT, dataset):
            raise NotPermittedError("read the history of this dataset", "a member of its team")
        page = read_page(request, asked, history.history_of(request.user, dataset), _LATEST_EVENTS)
        return page.answer(shapes.EventSerializer, {"request": request})


class Guests(Resource):
    @extend_schema(
        operation_id="list_guests",
        summary="Who may read a closed dataset as a guest, for those who decide about it",
        responses={200: shapes.GuestListSerializer, **problems(404, 410)},
    )
    def get(self, request: Request, pid: str) -> Response:
        dataset = get_dataset(request.user, pid)
        require(request.user, Act.GRANT_ACCESS, dataset)
        guests = Guest.objects.filter(dataset=dataset).select_related("person", "granted_by")
        return Response(shapes.GuestListSerializer({"results": guests.order_by("valid_to")}).data)


class EndVisit(Resource):
    @extend_schema(
        operation_id="end_visit",
        summary="End somebody's access before its day",
        request=shapes.EndingSerializer,
        responses={204: None, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, pid: str, person: str) -> Response:
        asked = read_body(shapes.EndingSerializer, request)
        dataset = get_dataset(request.user, pid)
        require(request.user, Act.GRANT_ACCESS, dataset)
        guest = _find_guest(dataset, person)
        decisions.end_visit(require_account(request.user), dataset, guest, asked["reason"])
        return Response(status=204)


def _find_guest(dataset: Dataset, pid: str) -> User:
    try:
        return User.objects.get(guest_of__dataset=dataset, pid=UUID(pid))
    except (User.DoesNotExist, ValueError) as error:
        raise NotFound(f"There is no guest {pid} of this dataset.") from error


class _Personal(Resource):
    permission_classes = [IsAuthenticated]


class Requests(_Personal):
    @extend_schema(
        operation_id="list_requests",
        summary="What you have asked for, and what is yours to decide, the latest first",
        parameters=[shapes.RequestQuery],
        responses={200: page_of(shapes.RequestSerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(shapes.RequestQuery, request)
        person = require_account(request.user)
        wanted = {name: asked[name] for name in ("kind", "state") if name in asked}
        found = wishes.visible_requests(person).filter(**wanted)
        page = read_page(request, asked, found, ("-filed_at", "uuid"))
        return page.answer(
            shapes.RequestSerializer, {"request": request, **_named(person, page.rows)}
        )


class OneRequest(_Personal):
    @extend_schema(
        operation_id="get_request",
        summary="One request, and what was decided",
        responses={200: shapes.RequestSerializer, **problems(404)},
    )
    def get(self, request: Request, uuid: str) -> Response:
        return _wish(request, wishes.get_request(request.user, uuid))


class Decision(_Personal):
    @extend_schema(
        operation_id="decide_request",
        summary="Grant or refuse what somebody asks for",
        request=shapes.DecisionSerializer,
        responses={200: shapes.RequestSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, uuid: str) -> Response:
        asked = read_body(shapes.DecisionSerializer, request)
        wish, person = wishes.get_request(request.user, uuid), require_account(request.user)
        if asked["outcome"] == "granted":
            wish = decisions.grant(person, wish, asked["answer"], asked.get("day"))
        else:
            wish = decisions.refuse(person, wish, asked["answer"])
        return _wish(request, wish)


class Objection(_Personal):
    @extend_schema(
        operation_id="object_to_release",
        summary="Object to an early release, which stops it",
        request=shapes.ObjectionSerializer,
        responses={200: shapes.RequestSerializer, **problems(400, 404, 409, 410, 415)},
    )
    def post(self, request: Request, uuid: str) -> Response:
        asked = read_body(shapes.ObjectionSerializer, request)
        wish = wishes.get_request(request.user, uuid)
        return _wish(
            request, decisions.object_to(require_account(request.user), wish, asked["answer"])
        )


class TakeBack(_Personal):
    @extend_schema(
        operation_id="take_request_back",
        summary="Take your own request back",
        request=None,
        responses={200: shapes.RequestSerializer, **problems(404, 409)},
    )
    def post(self, request: Request, uuid: str) -> Response:
        wish = wishes.get_request(request.user, uuid)
        wishes.take_back(require_account(request.user), wish)
        wish.refresh_from_db()
        return _wish(request, wish)


class Audit(_Personal):
    @extend_schema(
        operation_id="read_audit_log",
        summary="Who changed access, metadata or state, the latest first, for data stewards",
        parameters=[shapes.AuditQuery],
        responses={200: _EVENTS, **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(shapes.AuditQuery, request)
        names = ("act", "subject", "who", "since", "until")
        wanted = history.Wanted(**{name: asked[name] for name in names if name in asked})
        events = history.find_events(request.user, wanted)
        page = read_page(request, asked, events, _LATEST_EVENTS)
        return page.answer(shapes.EventSerializer, {"request": request})


class Notices(_Personal):
    @extend_schema(
        operation_id="list_notices",
        summary="What the catalogue has told you, the latest first",
        parameters=[PageQuery],
        responses={200: page_of(shapes.NoticeSerializer), **problems(400)},
    )
    def get(self, request: Request) -> Response:
        asked = read_query(PageQuery, request)
        found = notices.notices_of(require_account(request.user))
        page = read_page(request, asked, found, ("-made_at", "uuid"))
        return page.answer(shapes.NoticeSerializer, {"request": request})


class ReadNotices(_Personal):
    @extend_schema(
        operation_id="mark_notices_read",
        summary="Mark notices as read",
        request=shapes.ReadingSerializer,
        responses={204: None, **problems(400, 415)},
    )
    def post(self, request: Request) -> Response:
        asked = read_body(shapes.ReadingSerializer, request)
        notices.mark_read(require_account(request.user), *asked["notices"])
        return Response(status=204)
