"""Ask through Django's handler, time it, and compare answers with plain ones."""

import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from bench import plain
from bench.floor import DatasetFloor, Floor, SuggestFloor
from bench.questions import Asking, Questions
from catalogue.models import User
from catalogue.search import Query, count, find
from catalogue.search.ledger import fold

_PAGE = 20


def ask_all(datasets: int, number: int) -> dict[str, Any]:
    """
    Time every kind of question for an anonymous person and a member.

    Returns
    -------
    dict
        Of each kind the p95 in milliseconds, ours the slower person's, and the floor's.
    """
    settings.ALLOWED_HOSTS = ["testserver"]
    fold()  # as the steward does each pass
    questions = Questions(datasets)
    member = Client()
    member.force_login(User.objects.get(username="member"))
    clients = (Client(), member)
    found = {}
    for kind, address in _ADDRESSES.items():
        asked = [_draw(kind, questions) for _ in range(number)]
        addresses = [address(it) for it in asked]
        ours = max(_p95([lambda a=a, c=c: _get(c, a) for a in addresses]) for c in clients)
        floors = [_floor(kind, it) for it in asked]
        found[kind] = {"ours": ours, "floor": _p95([floor.run for floor in floors])}
        _say(f"{datasets:,}: {kind} {ours:.1f} ms, floor {found[kind]['floor']:.1f} ms")
    found["deep_page"] = {"ours": max(_deep_page(c) for c in clients)}
    return found


def _draw(kind: str, questions: Questions) -> Any:
    if kind == "dataset_page":
        return questions.pid()
    return getattr(questions, "suggestion" if kind == "suggest" else kind)()


def _listed(asking: Asking) -> str:
    return f"/api/v1/datasets/?page_size={_PAGE}&{asking.address}"


_ADDRESSES: dict[str, Callable[[Any], str]] = {
    "facet_page": lambda asking: f"/?{asking.address}",
    "first_page": _listed,
    "rare_word": _listed,
    "numeric": _listed,
    "dataset_page": lambda pid: f"/datasets/{pid}/",
    "suggest": lambda text: (
        "/api/v1/datasets/suggestions/?" + urlencode({"q": text, "position": len(text)})
    ),
}


def _floor(kind: str, asked: Any) -> Floor | DatasetFloor | SuggestFloor:
    if kind == "dataset_page":
        return DatasetFloor(asked)
    return SuggestFloor(asked) if kind == "suggest" else Floor(kind, asked)


def _get(client: Client, address: str) -> bytes:
    response = client.get(address)
    if response.status_code != 200:
        raise RuntimeError(f"{address} answered {response.status_code}: {response.content[:500]!r}")
    return bytes(response.content)


def _p95(acts: list[Callable[[], Any]]) -> float:
    """Do everything once to be warm, and once by the clock."""
    for act in acts:
        act()
    times = []
    for act in acts:
        begun = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - begun))
    return sorted(times)[int(0.95 * len(times))]


def _deep_page(client: Client) -> float:
    """Follow next a hundred times, and time the last twenty pages."""
    address, times = _listed(Asking()), []
    for _ in range(100):
        begun = time.perf_counter()
        page = client.get(address).json()
        times.append(1000 * (time.perf_counter() - begun))
        if page["next"] is None:
            break
        address = page["next"]
    return max(times[-20:])


def check_answers(datasets: int, number: int) -> bool:
    """Say whether total, order and facets are those of the plain query, for both people."""
    questions = Questions(datasets, seed=2)
    people = (AnonymousUser(), User.objects.get(username="member"))
    asked = [
        *(questions.facet_page() for _ in range(number)),
        *(questions.rare_word() for _ in range(max(number // 4, 2))),
        *(questions.numeric() for _ in range(max(number // 4, 2))),
    ]
    agree = True
    for asking in asked:
        for person in people:
            if differing := _differences(person, asking):
                agree = False
                _say(f"NOT EQUAL for {person}: {asking}: {differing}")
    return agree


def _differences(person: Any, asking: Asking) -> list[str]:
    chosen: dict[str, list[str]] = {}
    for name, value in asking.chosen:
        chosen.setdefault(name, []).append(value)
    query = Query(asking.text, chosen)
    wanted = plain.answer(person, asking)
    counted, found = count(person, query), find(person, query, _PAGE)
    pids = [position.pid for position in found.positions]
    facets = {
        facet.name: {it.value: it.count for it in facet.values if it.count}
        for facet in counted.facets
    }
    differing = []
    if counted.total != wanted["total"]:
        differing.append(f"total {counted.total} for {wanted['total']}")
    # Best first has another order: then only which ones they are can be compared.
    is_same = (
        pids == wanted["newest"] if not found.is_ranked else len(pids) == len(wanted["newest"])
    )
    if not is_same:
        differing.append("the first page")
    for name, values in wanted["facets"].items():
        if facets.get(name, {}) != values and len(values) <= _PAGE:
            differing.append(f"facet {name}: {facets.get(name)} for {values}")
    return differing


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
