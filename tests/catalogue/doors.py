"""
Every way to a dataset from outside, and what each of them must answer.

A new address that names a dataset or a file needs a door here: a test looks. Doors are
knocked at by everybody, about data in every state; ``EXPECTED`` says what comes back.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.test import Client

from catalogue.models import DataFile, Dataset, Guest, Tombstone
from catalogue.storage.content import keep_bytes
from processing.models import ProcessingRun
from processing.submission import submit
from tests.api.results import PICTURE, an_activity
from tests.builders import World, a_dataset, a_recipe
from tests.catalogue.closing import closed_for, guarded, in_days

# Who knocks: Rea is a guest of each dataset, Sten nobody.
PEOPLE = {
    "nobody": None, "outsider": "sten", "guest": "rea", "member": "carlo",
    "leader": "ines", "staff": "ivo", "steward": "dana",
}  # fmt: skip
INSIDERS = {"guest", "member", "leader", "staff"}
STATES = [
    "hidden", "collecting", "proprietary", "listed", "open", "released",
    "retracted", "retracted while hidden", "withdrawn", "withdrawn while hidden",
]  # fmt: skip


# Where the exact state makes no difference beside these, they are enough.
TYPICAL = ["hidden", "listed", "open", "retracted", "withdrawn"]


@dataclass(frozen=True)
class Target:
    """A dataset in some state, and what it can be reached by."""

    dataset: Dataset
    file: DataFile
    word: str  # in its title, in no other
    sample: str  # its name
    picture: str  # sha256 of its thumbnail
    child: Dataset  # an open dataset made of it
    run: ProcessingRun  # that used it


# What a door answers: a status, or whether the dataset showed up.
Answer = int | bool
Expected = dict[str, Callable[[str, str], Answer | None]]


def _is_insider(who: str) -> bool:
    return who in INSIDERS or who == "steward"


def _page(state: str, who: str) -> int:
    if "withdrawn" in state and who != "steward":
        return 404 if "hidden" in state and who not in INSIDERS else 410
    is_public = state in {"listed", "open", "released", "retracted", "withdrawn"}
    return 200 if is_public or _is_insider(who) else 404


def _bytes(state: str, who: str) -> int:
    page = _page(state, who)
    if page != 200:
        return page
    if "retracted" in state or "withdrawn" in state:
        return 410
    return 403 if state == "listed" and not _is_insider(who) else 200


def _entry(state: str, who: str) -> bool:
    """Say whether lists, counts and facets show a dataset: nothing that was taken back."""
    return _page(state, who) == 200 and "retracted" not in state and "withdrawn" not in state


def _run(state: str, who: str) -> int:
    """A run tells of the data, and outlives that they were retracted."""
    if "withdrawn" in state:
        return 200 if who == "steward" else 404
    is_open = state in {"open", "released", "retracted"}
    return 200 if is_open or _is_insider(who) else 404


def _mention(state: str, who: str) -> bool:
    return _page(state, who) == 200


def _leak(state: str, who: str) -> bool | None:
    """Whoever may not read the bytes learns no name of a file; others may, or not."""
    if state in {"open", "released"}:
        return True
    return None if _is_insider(who) else False


def _act(state: str, who: str) -> int | None:
    """An act says 404 exactly where the page does; who may do what has its own tests."""
    page = _page(state, who)
    if who == "nobody":
        return None
    return page if page != 200 else None


def _launch(state: str, who: str) -> int:
    """Whoever is not signed in is asked to, if there is a page."""
    page = _page(state, who)
    return 302 if who == "nobody" and page == 200 else _bytes(state, who)


EXPECTED: Expected = {
    "page": _page, "bytes": _bytes, "list": _entry, "run": _run, "mention": _mention,
    "leak": _leak, "launch": _launch, "act": _act,
}  # fmt: skip


@dataclass(frozen=True)
class Door:
    """
    One way in.

    Attributes
    ----------
    name : str
        For the report of a failure.
    kind : str
        Which row of ``EXPECTED`` holds.
    routes : tuple of str
        The names of the addresses that it stands for.
    knock : callable
        Asks with a client about a target; returns a response, or what was found.
    """

    name: str
    kind: str
    routes: tuple[str, ...]
    knock: Callable[[Client, Target], Any]


def _get(address: str, **headers: str) -> Callable[[Client, Target], Any]:
    def knock(client: Client, target: Target) -> Any:
        return client.get(_fill(address, target), headers=headers)

    return knock


def _post(address: str, **body: Any) -> Callable[[Client, Target], Any]:
    def knock(client: Client, target: Target) -> Any:
        return client.post(_fill(address, target), body, content_type="application/json")

    return knock


def _form(address: str, **body: Any) -> Callable[[Client, Target], Any]:
    def knock(client: Client, target: Target) -> Any:
        return client.post(_fill(address, target), body)

    return knock


def _fill(address: str, target: Target) -> str:
    names = {
        "pid": target.dataset.pid, "file": target.file.uuid, "word": target.word,
        "child": target.child.pid, "run": target.run.uuid, "other": UUID(int=7),
        "sample": target.sample, "name": target.file.path.split(".")[0],
    }  # fmt: skip
    return address.format(**names)


def _shows(address: str, what: str) -> Callable[[Client, Target], bool]:
    """Say whether an answer holds what a template of names says."""

    def knock(client: Client, target: Target) -> bool:
        response = client.get(_fill(address, target))
        assert response.status_code == 200, response.content
        return _fill(what, target) in response.content.decode()

    return knock


def _unchanged(client: Client, target: Target) -> int:
    """A cached copy is confirmed to nobody who might not fetch it: access first, then ETag."""
    response = client.get(
        f"/files/{target.file.uuid}/", headers={"If-None-Match": f'"{target.file.sha256}"'}
    )
    return 200 if response.status_code == 304 else response.status_code


def _unchanged_picture(client: Client, target: Target) -> int:
    address = f"/datasets/{target.dataset.pid}/thumbnail.png"
    response = client.get(address, headers={"If-None-Match": f'"{target.picture}"'})
    return 200 if response.status_code == 304 else response.status_code


def _ranged(client: Client, target: Target) -> int:
    response = client.get(f"/files/{target.file.uuid}/", headers={"Range": "bytes=0-1"})
    b"".join(getattr(response, "streaming_content", ()))
    return 200 if response.status_code == 206 else response.status_code


def _counted(client: Client, target: Target) -> bool:
    found = client.get("/api/v1/datasets/facets/", {"q": target.word}).json()
    samples = [v["count"] for f in found["facets"] if f["name"] == "sample" for v in f["values"]]
    return sum(samples) > 0


def _total(client: Client, target: Target) -> bool:
    page = client.get("/", {"q": target.word}).content.decode()
    return not re.search(r'role="status"[^>]*>\s*(No|0) dataset', page) and "1 dataset" in page


# The places where a raw dataset with one file, a picture and a product can be met.
DOORS = [
    Door("page", "page", ("dataset",), _get("/datasets/{pid}/")),
    Door("publications", "page", ("api-dataset-publications",),
         _get("/api/v1/datasets/{pid}/publications/")),
    Door("notes", "bytes", ("api-notes",), _get("/api/v1/datasets/{pid}/notes/")),
    Door("judgements", "bytes", ("api-quality",), _get("/api/v1/datasets/{pid}/quality/")),
    Door("attachments", "bytes", ("api-attachments",), _get("/api/v1/datasets/{pid}/attachments/")),
    Door("page of access", "page", ("dataset-access",), _get("/datasets/{pid}/access/")),
    Door("processing", "page", ("dataset-processing",), _get("/datasets/{pid}/processing/")),
    Door("REST", "page", ("api-dataset",), _get("/api/v1/datasets/{pid}/")),
    Door("REST access", "page", ("api-access",), _get("/api/v1/datasets/{pid}/access/")),
    Door("REST lineage", "page", ("api-dataset-lineage",), _get("/api/v1/datasets/{pid}/lineage/")),
    Door("REST graph", "page", ("api-dataset-graph",), _get("/api/v1/datasets/{pid}/graph/")),
    Door("PROV", "page", ("api-dataset-provenance",),
         _get("/api/v1/datasets/{pid}/provenance/")),
    Door("crate", "page", ("api-dataset-crate",), _get("/api/v1/datasets/{pid}/crate/?data=true")),
    Door("PROV of a product", "mention", (),
         _shows("/api/v1/datasets/{child}/provenance/", "{pid}")),
    Door("uses", "page", (), _get("/api/v1/activities/?used={pid}")),
    Door("thumbnail", "bytes", ("dataset-thumbnail",), _get("/datasets/{pid}/thumbnail.png")),
    Door("REST thumbnail", "bytes", ("api-dataset-thumbnail",),
         _get("/api/v1/datasets/{pid}/thumbnail/")),
    Door("file", "bytes", ("file-download",), _get("/files/{file}/")),
    Door("a cached file", "bytes", (), _unchanged),
    Door("a part of a file", "bytes", (), _ranged),
    Door("a cached thumbnail", "bytes", (), _unchanged_picture),
    Door("REST files", "bytes", ("api-dataset-files",), _get("/api/v1/datasets/{pid}/files/")),
    Door("REST file", "bytes", ("api-file",), _get("/api/v1/files/{file}/")),
    Door("REST bytes", "bytes", ("api-file-content",), _get("/api/v1/files/{file}/content/")),
    Door("zip", "bytes", ("dataset-zip",), _get("/datasets/{pid}/download.zip")),
    Door("checksums", "bytes", ("dataset-checksums",), _get("/datasets/{pid}/checksums.sha256")),
    Door("REST zip", "bytes", ("api-dataset-zip",), _get("/api/v1/datasets/{pid}/zip/")),
    Door("REST zip manifest", "bytes", ("api-dataset-manifest",),
         _get("/api/v1/datasets/{pid}/zip/manifest/")),
    Door("REST checksums", "bytes", ("api-checksums",), _get("/api/v1/datasets/{pid}/checksums/")),
    Door("selection", "bytes", ("api-selection-zip",),
         _get("/api/v1/selections/zip/?dataset={pid}")),
    Door("manifest of a selection", "bytes", ("api-selection-manifest",),
         _get("/api/v1/selections/zip/manifest/?dataset={pid}")),
    Door("list", "list", ("dataset-list",), _shows("/?q={word}", "/datasets/{pid}/")),
    Door("total", "list", (), _total),
    Door("facets", "list", ("api-facets",), _counted),
    Door("REST list", "list", ("api-datasets",), _shows("/api/v1/datasets/?q={word}", "{pid}")),
    Door("by sample", "list", (), _shows("/api/v1/datasets/?sample={sample}", "{pid}")),
    Door("files by words", "leak", (), _shows("/api/v1/datasets/?q={name}", "{pid}")),
    Door("lineage of a product", "mention", (),
         _shows("/api/v1/datasets/{child}/lineage/", "{pid}")),
    Door("graph of a product", "mention", (), _shows("/api/v1/datasets/{child}/graph/", "{pid}")),
    Door("title in the graph", "mention", (), _shows("/api/v1/datasets/{child}/graph/", "{word}")),
    Door("provenance of a product", "mention", (), _shows("/datasets/{child}/", "{pid}")),
    Door("title in provenance", "mention", (), _shows("/datasets/{child}/", "{word}")),
    Door("run", "run", ("processing-run",), _get("/processing-runs/{run}/")),
    Door("REST run", "run", ("api-run",), _get("/api/v1/processing-runs/{run}/")),
    Door("log", "run", ("api-run-log",), _get("/api/v1/processing-runs/{run}/log/")),
    Door("replays", "run", ("api-run-replays",), _get("/api/v1/processing-runs/{run}/replays/")),
    Door("two runs compared", "run", ("processing-run-diff",),
         _get("/processing-runs/{run}/diff/{run}/")),
    Door("REST two runs compared", "run", ("api-run-diff",),
         _get("/api/v1/processing-runs/{run}/diff/{run}/")),
    Door("form of a recipe", "launch", ("launch",), _get("/datasets/{pid}/process/xrd-map/")),
    Door("ask on the page", "act", ("dataset-deed",),
         _form("/datasets/{pid}/access/ask-access/", reason="why")),
    Door("end a visit on the page", "act", ("visit-end",),
         _form("/datasets/{pid}/guests/{other}/end/", reason="why")),
    Door("ask by REST", "act", ("api-dataset-requests",),
         _post("/api/v1/datasets/{pid}/requests/", kind="access", reason="why")),
    Door("rule", "act", ("api-ruling",),
         _post("/api/v1/datasets/{pid}/ruling/", opens_on="2001-01-01", reason="why")),
    Door("preview of a retraction", "act", ("retraction-preview",),
         _get("/datasets/{pid}/retraction/")),
    Door("REST preview of a retraction", "act", (), _get("/api/v1/datasets/{pid}/retraction/")),
    Door("undo a retraction", "act", ("api-retraction-undo",),
         _post("/api/v1/datasets/{pid}/retraction/undo/", reason="why")),
    Door("history", "act", ("api-history",), _get("/api/v1/datasets/{pid}/history/")),
    Door("guests", "act", ("api-guests",), _get("/api/v1/datasets/{pid}/guests/")),
]  # fmt: skip
# Doors that change what they touch: each is tried on data of its own, by tests named so.
ELSEWHERE = {
    "api-retraction": "test_a_steward_sets_a_day_and_takes_data_back",
    "api-visit-end": "test_a_request_goes_from_asking_to_its_decision",
    "dataset-edit": "test_the_team_staff_and_stewards_may_edit_and_only_they_are_offered_it",
    "annotate": "test_whoever_may_edit_a_dataset_adds_to_it_and_the_log_tells",
    "publication-unlink": "test_a_stranger_unlinks_no_publication",
    "api-dataset-publication": "test_a_stranger_unlinks_no_publication",
    "collect": "test_what_one_does_not_see_one_cannot_collect",
    "collection-item": "test_only_its_owner_changes_a_collection",
    "api-collected-dataset": "test_only_its_owner_changes_a_collection",
    # A team is not of one dataset: neither its state nor a guest's visit opens the list.
    "proposal-members": "test_for_strangers_guests_and_staff_there_is_no_team",
    "membership-end": "test_ending_on_the_page_needs_a_reason_and_another_leader",
    "api-members": "test_who_sees_a_team_and_who_changes_it",
    "api-member": "test_who_sees_a_team_and_who_changes_it",
    # Nor are these of one dataset: each test below asks as somebody whose matter it is not.
    "dataset-key-document": "test_the_key_document_of_a_product_goes_with_its_bytes",
    "register": "test_who_may_not_register_is_told_who_may",
    "api-bulk": "test_nobody_else_registers_and_nobody_else_learns_what_is_there",
    "api-suggestions": "test_what_is_suggested_depends_on_who_asks",
    "api-activities": "test_no_list_mentions_what_is_hidden",
    "api-activity": "test_to_others_hidden_and_absent_are_the_same_bytes",
    "requests": "test_a_request_about_what_is_hidden_now_does_not_name_it",
    "request-deed": "test_each_request_offers_what_its_reader_decides",
    "endings": "test_a_person_sees_when_the_embargoes_of_their_proposals_end",
    "notices": "test_notices_are_listed_read_and_sent_by_mail_or_not",
    "unsubscribe": "test_a_link_in_a_mail_stops_it_without_signing_in_but_not_by_looking",
    "steward": "test_the_steward_pages_are_for_data_stewards",
    "incomplete": "test_the_steward_pages_are_for_data_stewards",
    "audit": "test_the_steward_pages_are_for_data_stewards",
    "api-audit": "test_the_audit_log_is_read_in_pages_by_stewards",
    "operations": "test_only_operators_and_data_stewards_see_it",
    "quarantine": "test_nobody_else_learns_anything",
    "api-arrivals": "test_nobody_else_learns_anything",
    "api-arrival-retry": "test_nobody_else_learns_anything",
    "api-arrival-dismiss": "test_nobody_else_learns_anything",
    "api-requests": "test_personal_matters_ask_for_a_sign_in",
    "api-request": "test_a_request_goes_from_asking_to_its_decision",
    "api-decision": "test_a_request_goes_from_asking_to_its_decision",
    "api-objection": "test_a_team_objects_to_an_early_release",
    "api-take-back": "test_a_request_is_taken_back",
    "api-notices": "test_personal_matters_ask_for_a_sign_in",
    "api-notices-read": "test_notices_are_read_and_marked",
    "tokens": "test_the_page_of_tokens_is_ones_own",
    "token-revoke": "test_the_page_of_tokens_is_ones_own",
    "api-tokens": "test_nobody_has_tokens_without_end",
    "api-token": "test_a_token_may_take_back_itself_and_no_other",
    "saved-searches": "test_nobody_saves_a_search_without_an_account",
    "saved-search": "test_nobody_touches_anothers_searches",
    "saved-search-delete": "test_nobody_touches_anothers_searches",
    "api-saved-searches": "test_nobody_keeps_searches_without_signing_in",
    "api-saved-search": "test_anothers_search_and_none_are_the_same",
    "attachment": "test_an_attachment_of_closed_data_is_there_for_the_team_alone",
    "attachment-remove": "test_an_attachment_is_taken_away_by_those_who_may_edit",
    "api-attachment": "test_an_attachment_of_closed_data_is_there_for_the_team_alone",
    "api-attachment-content": "test_an_attachment_of_closed_data_is_there_for_the_team_alone",
    "collections": "test_a_collection_of_ones_own_is_absent_for_others",
    "collection": "test_a_collection_of_ones_own_is_absent_for_others",
    "collection-remove": "test_only_its_owner_changes_a_collection",
    "api-collections": "test_a_collection_of_ones_own_is_absent_for_others",
    "api-collection": "test_a_collection_of_ones_own_is_absent_for_others",
    "api-collection-datasets": "test_only_its_owner_changes_a_collection",
    "publications": "test_everybody_sees_a_publication_and_only_the_datasets_that_are_theirs",
    "api-publications": "test_everybody_sees_a_publication_and_only_the_datasets_that_are_theirs",
    "api-publication": "test_everybody_sees_a_publication_and_only_the_datasets_that_are_theirs",
    "processing-run-list": "test_no_list_mentions_what_is_hidden",
    "processing-run-cancel": "test_cancelling_is_for_whoever_asked_for_the_run",
    "processing-run-compare": "test_only_two_runs_that_one_sees_are_compared",
    "processing-run-replays": "test_a_stranger_asks_for_no_replay",
    "api-determinism": "test_runs_of_an_unsteady_recipe_are_named_to_whom_may_see_them",
    "api-runs": "test_no_list_mentions_what_is_hidden",
    "api-run-crate": "test_a_stranger_gets_no_crate_of_a_run_that_they_cannot_see",
    "api-run-cancel": "test_a_stranger_cannot_cancel_a_run_that_they_cannot_see",
    "product-list": "test_products_are_shown_with_their_subjects_only",
    "product": "test_products_are_shown_with_their_subjects_only",
    "proposal-maps": "test_the_maps_of_a_proposal_are_shown_with_their_scans_only",
    "api-proposal-maps": "test_the_maps_of_a_proposal_are_shown_with_their_scans_only",
    "product-order": "test_a_stranger_decides_nothing_about_a_product",
    "product-pin": "test_a_stranger_decides_nothing_about_a_product",
    "product-unpin": "test_a_stranger_decides_nothing_about_a_product",
    "api-product": "test_products_are_shown_with_their_subjects_only",
    "backfill": "test_only_data_stewards_see_and_change_what_is_declared",
    "facility": "test_only_data_stewards_see_and_change_what_is_declared",
    "facility-toml": "test_only_data_stewards_see_and_change_what_is_declared",
    "facility-plan": "test_only_data_stewards_see_and_change_what_is_declared",
    "facility-rules": "test_only_data_stewards_see_and_change_what_is_declared",
    "facility-revision": "test_only_data_stewards_see_and_change_what_is_declared",
    "api-facility": "test_only_data_stewards_see_and_change_what_is_declared",
    "api-facility-plan": "test_only_data_stewards_see_and_change_what_is_declared",
    "dataset-calibration": "test_only_the_team_says_what_a_dataset_calibrates",
    "api-calibration": "test_only_the_team_says_what_a_dataset_calibrates",
    "api-products": "test_a_product_of_an_open_subject_keeps_its_hidden_run_to_itself",
}
# What is the same for everybody: recipes, help, the schema, and the way in and out.
FOR_ALL = {
    "recipe-list", "recipe", "api-recipes", "api-recipe", "search-help", "problems",
    "api-schema", "login", "logout", "public-keys",
}  # fmt: skip


def build(world: World, states: Iterable[str]) -> dict[str, Target]:
    """Make one dataset for each state, all of Ines' proposal."""
    a_recipe()
    geometry = a_dataset(world, content="poni", is_open=True, title="Geometry")
    return {state: _build(world, geometry, state) for state in states}


def _build(world: World, geometry: Dataset, state: str) -> Target:
    word = f"zirkon{uuid4().hex[:10]}"
    sample = f"sample{uuid4().hex[:10]}"  # of its product, too: that one has another word
    told = {"title": f"About {word}", "sample": sample}
    days = {"open": 0, "retracted": 0, "withdrawn": 0, "collecting": None, "proprietary": None}
    dataset = closed_for(
        world, days.get(state, 100), listed_in=-5 if state == "listed" else 0, **told
    )
    child = guarded(
        an_activity(world, {"scan": [dataset]}).generated.get().dataset,
        opens_on=in_days(world, -1), listed_on=in_days(world, -1), ruling="steward",
    )  # fmt: skip
    run = submit(
        world.dana, a_recipe(), {"scan": [dataset], "geometry": [geometry]}, {}
    ).processing_run
    if state == "proprietary":
        guarded(dataset, is_proprietary=True)
    if state == "released":
        day = in_days(world, 0)
        guarded(dataset, opens_on=day, listed_on=day, ruling="released")
    Guest.objects.create(dataset=dataset, person=world.rea, valid_to=in_days(world, 30))
    picture = keep_picture(world, dataset)
    for kind in ("retracted", "withdrawn"):
        if state.startswith(kind):
            Tombstone.objects.create(dataset=dataset, kind=kind, reason="why")
            guarded(dataset)
    return Target(dataset, dataset.files.get(), word, sample, picture, child, run)


def keep_picture(world: World, dataset: Dataset) -> str:
    """Give a dataset a thumbnail."""
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    keep_bytes(Path(world.products.root), PICTURE, sha256)
    Dataset.objects.filter(pk=dataset.pk).update(thumbnail=sha256)
    return sha256
