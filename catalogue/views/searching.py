"""The page that tells what can be asked for, drawn from the language itself."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalogue.query import FIELDS, LONGEST, MOST
from catalogue.views.replies import personal


@dataclass(frozen=True)
class Topic:
    """A part of the language: what it is for, and queries to try."""

    slug: str
    title: str
    text: str
    examples: tuple[tuple[str, str], ...]  # a query, and what it finds


TOPICS = (
    Topic(
        "words",
        "Words",
        "All words must occur, in the title, the names of samples, techniques and files, and "
        "whatever else is known of a dataset. Case and accents make no difference.",
        (
            ("roman glass", "both words, in any order; the last may be unfinished"),
            ('"roman glass"', "one word directly after the other"),
            ("glass -lead", "glass, but not lead"),
            ("pig* glass", "words that begin with pig, and glass"),
        ),
    ),
    Topic(
        "conditions",
        "Conditions",
        "A name, a colon and a value, without a space. Values of one name are alternatives; "
        "different names must all hold. A minus in front excludes.",
        (
            ("instrument:id13,id22", "one instrument or the other"),
            ('sample:"lead white"', "a value with a space in quotes"),
            ("kind:raw technique:diffraction", "both at once"),
            ("-kind:derived", "all but what was made from other datasets"),
        ),
    ),
    Topic(
        "numbers",
        "Numbers with units",
        "Any other name is that of a parameter; its last part is enough. Numbers are compared "
        "in whatever unit each dataset states them.",
        (
            ("energy:9..12keV", "from 9 to 12 keV, or the wavelengths that belong to them"),
            ("temperature<80K", "below 80 K, also where it was written in °C"),
            ("temperature<10K temperature>100K", "below 10 K or above 100 K"),
            ("motor.x:-5..5mm", "from -5 to 5 mm"),
            ("frames>=1000", "a number without a unit"),
        ),
    ),
    Topic(
        "texts",
        "Parameters that are texts",
        "The whole text must agree, in any case of letters. What begins with a digit needs "
        "quotes to be taken as text.",
        (
            ("scan_type:mesh", "a parameter that says mesh"),
            ('detector.name:"Eiger 4M"', "a text with a space"),
        ),
    ),
    Topic(
        "dates",
        "Dates",
        "Days are those of the facility. Months and years count whole, at both ends.",
        (
            ("date:2024-03", "measured in March 2024"),
            ("date:2024-01..2024-06", "from January to the end of June"),
            ("date>=2024-03-15", "on that day or later"),
            ("registered:last-30-days", "come into the catalogue lately"),
        ),
    ),
)


@require_safe
@personal
def show_help(request: HttpRequest) -> HttpResponse:
    """Explain the language, each part by queries that can be tried."""
    context = {"topics": TOPICS, "fields": FIELDS, "longest": LONGEST, "most": MOST}
    return render(request, "catalogue/search_help.html", context)
