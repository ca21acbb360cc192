"""The sections of facility.toml that processing owns, and how long durations are."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from catalogue.declaration.comparing import Section
from catalogue.declaration.sections import CatalogueSections
from catalogue.models import QualityFlag
from processing.products.picking import Binding, Within

_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")
_DAY_S = 86400
_SECONDS = (7 * _DAY_S, _DAY_S, 3600, 60, 1)
_LONGEST_S = 36_525 * _DAY_S  # beyond, a date cannot be reckoned back


def read_duration(text: str) -> int:
    """
    Read an ISO 8601 duration of weeks to seconds, as seconds.

    Raises
    ------
    ValueError
        If it says anything else: months and years have no fixed length.
    """
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        raise ValueError("must be a duration of days or less, such as P7D, PT12H or PT30S")
    seconds = sum(int(n or 0) * unit for n, unit in zip(found.groups(), _SECONDS, strict=True))
    if seconds > _LONGEST_S:
        raise ValueError("must be a hundred years or less")
    return seconds


def _check_duration(text: str) -> str:
    read_duration(text)
    return text


def _check_verdict(text: str) -> str:
    verdict = {"accepted": QualityFlag.Verdict.GOOD.value}.get(text, text)
    if verdict not in QualityFlag.Verdict.values:
        raise ValueError(f"must be one of {', '.join(QualityFlag.Verdict.values)}")
    return verdict


def _check_days(text: str) -> str:
    if read_duration(text) % _DAY_S:
        raise ValueError("must be whole days, such as P90D")
    return text


def _check_slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError("must be a name of letters, digits, - and _, 50 at most")
    return text


Duration = Annotated[str, AfterValidator(_check_duration)]
Days = Annotated[str, AfterValidator(_check_days)]
Slug = Annotated[str, AfterValidator(_check_slug)]


class Selection(Section):
    """Which datasets a product is wanted for; every given key must fit."""

    kind: Literal["raw", "derived"] | None = None
    instrument: str | None = None
    technique: str | None = None
    content: str | None = None
    proposal: str | None = None
    sample: str | None = None
    quality: Annotated[str, AfterValidator(_check_verdict)] | None = None


class LateBound(Section):
    """
    How the dataset for another role is picked, anew for every subject.

    Either a calibration constant of a ``type``, by its validity and conditions, or the
    dataset of a ``content``, by its time.
    """

    kind: Literal["calibration", "dataset"] = "dataset"
    type: str = ""
    content: str = ""
    match: dict[str, Literal["equal"] | Within] = {}
    pick: Literal["closest_before", "closest", "valid_at"] = "closest_before"
    max_age: Duration | None = None

    @model_validator(mode="after")
    def _check(self) -> "LateBound":
        is_constant = self.kind == "calibration"
        if is_constant != bool(self.type) or is_constant == bool(self.content):
            raise ValueError(
                'says what it takes: type = "poni" of kind = "calibration", or content = "poni"'
            )
        if self.match and not is_constant:
            raise ValueError('compares conditions, which only kind = "calibration" has')
        return self

    @property
    def takes(self) -> str:
        return self.type or self.content

    def binding(self) -> Binding:
        return Binding(
            source=self.kind,
            content=self.takes,
            match=self.match,
            pick=self.pick,
            max_age_s=read_duration(self.max_age) if self.max_age else None,
        )


class ProductLimits(Section):
    """What a rule may ask of the machines, by itself or because people have ordered it."""

    per_hour: int | None = Field(default=None, ge=0)
    backfill: Days | None = None
    core_hours_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class ProductSection(Section):
    recipe: str = Field(pattern=r"^[a-z][a-z0-9-]*(@\d+(\.\d+){0,2})?$")
    selection: Selection = Field(alias="for")
    subject: str
    keep: Literal["fresh", "latest-compatible", "once", "manual"] = "fresh"
    archive: str | None = None
    inputs: dict[str, LateBound] = {}
    parameters: dict[str, Any] = {}
    limits: ProductLimits = ProductLimits()

    @property
    def recipe_name(self) -> str:
        return self.recipe.partition("@")[0]

    @property
    def pinned_version(self) -> str:
        return self.recipe.partition("@")[2]


class StewardSection(Section):
    """How often the steward looks, and what it may never exceed."""

    interval: Duration = "PT30S"
    max_change: int = Field(default=5000, ge=0)
    core_hours_per_day: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    replays_per_day: int = Field(default=0, ge=0, le=1000)


class LimitsSection(Section):
    """Quotas, so that one proposal does not keep the others waiting."""

    runs_per_proposal: int | None = Field(default=None, ge=1)
    queued_per_person: int | None = Field(default=None, ge=1)


Addressee = Literal["owner", "data-stewards"]


class NotificationsSection(Section):
    """Who hears of what by a notice."""

    failed: list[Addressee] = ["owner"]


class RecipesSection(Section):
    """Where recipes come from, beside the environment in which this runs."""

    environments: dict[str, str] = {}  # name -> interpreter of another Python environment
    manifests: list[str] = []  # TOML files of commands and notebooks, or folders of them


class SettingsSections(Section):
    """The sections that have no rows of their own: a revision keeps them."""

    steward: StewardSection = StewardSection()
    limits: LimitsSection = LimitsSection()
    notifications: NotificationsSection = NotificationsSection()
    recipes: RecipesSection = RecipesSection()


class Declaration(CatalogueSections, SettingsSections):
    """A whole facility.toml."""

    schema_version: Literal[1] = Field(alias="schema")
    product: dict[Slug, ProductSection] = {}


class PageRules(Section):
    """What the page of rules holds: product rules that no file declares."""

    product: dict[Slug, ProductSection] = {}
