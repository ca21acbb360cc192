from django.urls import URLPattern, path

from processing.api.exports import list_keys
from processing.views import evidence, facility, maps, products, runs

urlpatterns: list[URLPattern] = [
    path(
        "datasets/<uuid:pid>/processing/",
        runs.show_dataset_processing,
        name="dataset-processing",
    ),
    path("datasets/<uuid:pid>/process/<slug:name>/", runs.launch, name="launch"),
    path("recipes/", runs.show_recipes, name="recipe-list"),
    path("recipes/<slug:name>/", runs.show_recipe, name="recipe"),
    path("processing-runs/", runs.show_processing_runs, name="processing-run-list"),
    path("processing-runs/compare/", evidence.choose_two, name="processing-run-compare"),
    path("processing-runs/<uuid:uuid>/replays/", evidence.replay, name="processing-run-replays"),
    path(
        "processing-runs/<uuid:uuid>/diff/<uuid:other>/",
        evidence.show_difference,
        name="processing-run-diff",
    ),
    path("processing-runs/<uuid:uuid>/", runs.show_processing_run, name="processing-run"),
    path(
        "processing-runs/<uuid:uuid>/cancel/",
        runs.cancel_processing_run,
        name="processing-run-cancel",
    ),
    path("products/", products.show_products, name="product-list"),
    path("products/<slug:rule>/backfill/", products.backfill, name="backfill"),
    path("products/<slug:rule>/<uuid:pid>/", products.show_product, name="product"),
    *(
        path(
            f"products/<slug:rule>/<uuid:pid>/{verb}/",
            products.change_product,
            {"verb": verb},
            name=f"product-{verb}",
        )
        for verb in ("order", "pin", "unpin")
    ),
    path("proposals/<str:proposal>/maps/", maps.show_maps, name="proposal-maps"),
    path("facility/", facility.show_facility, name="facility"),
    path("facility/facility.toml", facility.send_facility, name="facility-toml"),
    path("facility/plan/", facility.plan_facility, name="facility-plan"),
    path("facility/rules/", facility.edit_rules, name="facility-rules"),
    path("facility/revisions/<int:number>/", facility.show_revision, name="facility-revision"),
    path(".well-known/palimpsest-keys.json", list_keys, name="public-keys"),
    path("ops/", runs.show_operations, name="operations"),
]
