from django.urls import URLPattern, path

from catalogue.views import datasets, downloads, finding, registering

urlpatterns: list[URLPattern] = [
    path("", finding.list_datasets, name="dataset-list"),
    path("register/", registering.register_dataset, name="register"),
    path("datasets/<uuid:pid>/", datasets.show_dataset, name="dataset"),
    path("datasets/<uuid:pid>/thumbnail.png", downloads.send_thumbnail, name="dataset-thumbnail"),
    path(
        "datasets/<uuid:pid>/key-document.json",
        downloads.send_key_document,
        name="dataset-key-document",
    ),
    path("files/<uuid:uuid>/", downloads.send_file, name="file-download"),
]
