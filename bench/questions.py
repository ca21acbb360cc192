"""Questions as people ask them, by chance but the same each time."""

import random
from dataclasses import dataclass
from urllib.parse import urlencode

from bench import million
from catalogue.models import Dataset, Listing

_YEARS = range(2012, 2027)
_TECHNIQUES = ("diffraction", "imaging", "x-ray probe technique", "PaNET01101", "PaNET01156")


@dataclass(frozen=True)
class Asking:
    """A query as text and chosen facets, as an address has them."""

    text: str = ""
    chosen: tuple[tuple[str, str], ...] = ()

    @property
    def address(self) -> str:
        return urlencode([("q", self.text), *self.chosen])


class Questions:
    """Draws questions about a catalogue of ``million.load``."""

    def __init__(self, datasets: int, seed: int = 1) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self._datasets = datasets
        self._titles = dict(
            Dataset.objects.filter(pk__in=self._some(400)).values_list("pk", "title")
        )

    def _some(self, number: int) -> list[int]:
        return [self._chance.randint(1, self._datasets) for _ in range(number)]

    def _word(self) -> str:
        """A word of some title: frequent ones come up as often as people type them."""
        title = self._chance.choice(list(self._titles.values()))
        return self._chance.choice(title.split()[:4])

    def facet_page(self) -> Asking:
        """Half by facets, a third with words, the rest with numbers or dates."""
        makers = (
            (0.1, Asking),
            (0.4, lambda: Asking("", self._choices())),
            (0.25, lambda: Asking(" ".join(self._word() for _ in range(self._few())))),
            (0.1, lambda: Asking(self._word(), self._choices())),
            (0.1, self.numeric),
            (0.05, self._month),
        )
        (make,) = self._chance.choices([it for _, it in makers], [share for share, _ in makers])
        return make()

    def _few(self) -> int:
        return self._chance.choice([1, 1, 2])

    def _month(self) -> Asking:
        return Asking(f"date:{self._chance.choice(_YEARS)}-{self._chance.randint(1, 12):02}")

    def first_page(self) -> Asking:
        """The list as it begins, and under facets."""
        return Asking("", self._choices() if self._chance.random() < 0.7 else ())

    def _choices(self) -> tuple[tuple[str, str], ...]:
        values = {
            "instrument": f"id{self._chance.randint(1, million.INSTRUMENTS)}",
            "year": str(self._chance.choice(_YEARS)),
            "kind": self._chance.choice(["raw", "derived"]),
            "technique": self._chance.choice(_TECHNIQUES),
            "access": self._chance.choice(["open", "closed"]),
        }
        names = self._chance.sample(sorted(values), self._few())
        return tuple((name, values[name]) for name in names)

    def rare_word(self) -> Asking:
        """The name of a sample, ten datasets have it, or a number that only one has."""
        proposal = self._chance.randint(1, max(self._datasets // million.PER_PROPOSAL, 1))
        if self._chance.random() < 0.5:
            return Asking(f"s{proposal} {self._chance.randint(1, 8)}")
        return Asking(f"hg {proposal:05}")

    def numeric(self) -> Asking:
        """Ranges from a thousandth to a third of all values, in several units."""
        share = self._chance.choice([0.001, 0.01, 0.05, 0.3])
        begin = self._chance.random() * (1 - share)
        form = self._chance.choice(["energy", "wavelength", "temperature", "exposure"])
        if form == "energy":
            low, high = 5 + 20 * begin, 5 + 20 * (begin + share)
            return Asking(f"energy:{low:.4f}..{high:.4f}keV")
        if form == "wavelength":
            low, high = 12.398419843 / (5 + 20 * (begin + share)), 12.398419843 / (5 + 20 * begin)
            return Asking(f"wavelength:{low / 10:.5f}..{high / 10:.5f}nm")
        if form == "temperature":
            return Asking(f"temperature<{4 + 400 * share:.3f}K")
        return Asking(f"exposure_time:{1000 * begin:.3f}..{1000 * (begin + share):.3f}s")

    def suggestion(self) -> str:
        """Beginnings of keys and values."""
        text = self._chance.choice(
            ["p", "ph", "sam", "tem", "mot", "motor.m1", "instrument:", "instrument:id1",
             "technique:x", "technique:dif", "sample:s1", "proposal:hg", "formula:l", "year:",
             "content:", "w1 ene", "energy:9..12keV te"]
        )  # fmt: skip
        return text + self._chance.choice(["", "", str(self._chance.randint(0, 9))])

    def pid(self, *, is_open: bool = True) -> str:
        """A dataset that everybody may see, and its page is public."""
        seen = Listing.objects.filter(pk__in=self._some(50), is_listed=is_open)
        return str(seen.values_list("pid", flat=True)[0])
