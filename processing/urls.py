from django.urls import URLPattern, path

from processing.views import runs

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
    path("processing-runs/<uuid:uuid>/", runs.show_processing_run, name="processing-run"),
    path(
        "processing-runs/<uuid:uuid>/cancel/",
        runs.cancel_processing_run,
        name="processing-run-cancel",
    ),
    path("ops/", runs.show_operations, name="operations"),
]
