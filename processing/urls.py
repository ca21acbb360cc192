from django.urls import URLPattern, path

from processing import views
from processing.api.exports import list_keys

urlpatterns: list[URLPattern] = [
    path(
        "datasets/<uuid:pid>/processing/",
        views.show_dataset_processing,
        name="dataset-processing",
    ),
    path("datasets/<uuid:pid>/process/<slug:name>/", views.launch, name="launch"),
    path("recipes/", views.show_recipes, name="recipe-list"),
    path("recipes/<slug:name>/", views.show_recipe, name="recipe"),
    path("processing-runs/", views.show_processing_runs, name="processing-run-list"),
    path("processing-runs/<uuid:uuid>/", views.show_processing_run, name="processing-run"),
    path(
        "processing-runs/<uuid:uuid>/cancel/",
        views.cancel_processing_run,
        name="processing-run-cancel",
    ),
    path(".well-known/palimpsest-keys.json", list_keys, name="public-keys"),
    path("ops/", views.show_operations, name="operations"),
]
