"""Pages of products: which are fresh, which are stale and why, and what may be done."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalogue.access import visible_datasets
from catalogue.embargo.deeds import ReasonForm
from catalogue.views.replies import personal
from processing.access import visible_processing_runs
from processing.declaration.counting import plan_rule
from processing.declaration.planning import write_rule
from processing.models import Product, ProductRule
from processing.products.explaining import explain, find_product, tell_condition
from processing.products.ordering import (
    ORDERABLE,
    backlog,
    may_decide,
    order,
    order_all,
    pin,
    require_curator,
    unpin,
)

PRODUCTS_PER_PAGE = 50

Condition = Product.Condition


@require_safe
@personal
def show_products(request: HttpRequest) -> HttpResponse:
    """List the products of datasets that the person may see, by rule and condition."""
    mine = Product.objects.filter(subject__in=visible_datasets(request.user))
    rule, condition = request.GET.get("rule", ""), request.GET.get("condition", "")
    counts = mine.values_list("rule__slug", "condition").annotate(Count("pk"))
    shown = mine.select_related("rule__recipe", "subject").order_by("rule__slug", "-subject_id")
    if rule:
        shown = shown.filter(rule__slug=rule.replace("\x00", ""))
    if condition in Condition.values:
        shown = shown.filter(condition=condition)
    page = Paginator(shown, PRODUCTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "table": _tabulate(counts.order_by()),
        "conditions": Condition.choices,
        "rule": rule,
        "condition": condition,
        "may_curate": getattr(request.user, "is_data_steward", False),
    }
    return render(request, "processing/product_list.html", context)


def _tabulate(counts: Any) -> list[tuple[str, list[tuple[str, int]]]]:
    """Put counts into rows by rule, with a column for each condition."""
    found = {(rule, condition): count for rule, condition, count in counts}
    rules = sorted({rule for rule, _ in found})
    return [(rule, [(c, found.get((rule, c), 0)) for c in Condition.values]) for rule in rules]


@require_safe
@personal
def show_product(request: HttpRequest, rule: str, pid: UUID) -> HttpResponse:
    """Explain one product, and offer what the person may do about it."""
    product = find_product(request.user, f"{rule}/{pid}")
    explanation = explain(request.user, product)
    runs = visible_processing_runs(request.user)
    decides = may_decide(request.user, product)
    context = {
        "product": product,
        "explanation": explanation,
        "sentence": tell_condition(explanation.verdict),
        "run": runs.filter(products=product).first(),
        "wanted": runs.filter(wanted_for=product).first(),
        "may_order": decides
        and explanation.verdict.condition in ORDERABLE
        and product.ordered_at is None,
        "may_pin": decides and product.processing_run_id and product.pinned_at is None,
        "may_unpin": decides and product.pinned_at is not None,
        "form": ReasonForm(),
    }
    return render(request, "processing/product.html", context)


@require_POST
def change_product(request: HttpRequest, rule: str, pid: UUID, verb: str) -> HttpResponse:
    """Order a product, pin it, or take the pin away."""
    product = find_product(request.user, f"{rule}/{pid}")
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    if verb == "order":
        order(request.user, product)
        messages.success(request, "Ordered: the steward asks for it at its next pass.")
    elif verb == "pin":
        pin(request.user, product, reason)
        messages.success(request, "Pinned: it stays as it is.")
    else:
        unpin(request.user, product, reason)
        messages.success(request, "It follows its rule again.")
    return redirect("product", rule, pid)


@require_http_methods(["GET", "HEAD", "POST"])
@personal
def backfill(request: HttpRequest, rule: str) -> HttpResponse:
    """Show what the backlog of a rule would cost, and order it."""
    curator = require_curator(request.user, "order the backlog of a rule")
    row = get_object_or_404(ProductRule.objects.select_related("recipe", "archive"), slug=rule)
    waiting = backlog(row)
    if request.method == "POST":
        count = order_all(curator, waiting)
        messages.success(request, f"{count} products are ordered; the rule's budgets still hold.")
        return redirect("product-list")
    plan = plan_rule(row)
    size = waiting.aggregate(total=Sum("subject__size"))["total"] or 0
    context = {
        "rule": row,
        "lines": list(write_rule(plan)),
        "count": waiting.count(),
        "price": plan.rates.price(waiting.count(), size),
    }
    return render(request, "processing/backfill.html", context)
