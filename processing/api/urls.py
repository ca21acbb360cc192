from django.urls import URLPattern, path

from processing.api import evidence, exports, facility, maps, products, views

urlpatterns: list[URLPattern] = [
    path("recipes/", views.Recipes.as_view(), name="api-recipes"),
    path("recipes/<str:spec>/", views.OneRecipe.as_view(), name="api-recipe"),
    path("processing-runs/", views.ProcessingRuns.as_view(), name="api-runs"),
    path("processing-runs/<str:uuid>/", views.OneProcessingRun.as_view(), name="api-run"),
    path("processing-runs/<str:uuid>/log/", views.Log.as_view(), name="api-run-log"),
    path("processing-runs/<str:uuid>/cancel/", views.Cancel.as_view(), name="api-run-cancel"),
    path("processing-runs/<str:uuid>/replays/", evidence.Replays.as_view(), name="api-run-replays"),
    path(
        "processing-runs/<str:uuid>/diff/<str:other>/",
        evidence.Difference.as_view(),
        name="api-run-diff",
    ),
    path("recipes/<str:spec>/determinism/", evidence.Determinism.as_view(), name="api-determinism"),
    path("processing-runs/<str:uuid>/crate/", exports.RunCrate.as_view(), name="api-run-crate"),
    path(
        "datasets/<str:pid>/provenance/",
        exports.DatasetProvenance.as_view(),
        name="api-dataset-provenance",
    ),
    path("datasets/<str:pid>/crate/", exports.DatasetCrate.as_view(), name="api-dataset-crate"),
    path("products/", products.Products.as_view(), name="api-products"),
    path("products/<str:rule>/<str:pid>/", products.OneProduct.as_view(), name="api-product"),
    path("proposals/<str:proposal>/maps/", maps.ProposalMaps.as_view(), name="api-proposal-maps"),
    path("facility/", facility.Facility.as_view(), name="api-facility"),
    path("facility/plan/", facility.FacilityPlan.as_view(), name="api-facility-plan"),
]
