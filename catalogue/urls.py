from django.urls import URLPattern, path

from catalogue import views

urlpatterns: list[URLPattern] = [
    path("", views.list_datasets, name="dataset-list"),
    path("register/", views.register_dataset, name="register"),
    path("datasets/<uuid:pid>/", views.show_dataset, name="dataset"),
    path("datasets/<uuid:pid>/thumbnail.png", views.send_thumbnail, name="dataset-thumbnail"),
    path(
        "datasets/<uuid:pid>/key-document.json",
        views.send_key_document,
        name="dataset-key-document",
    ),
    path("files/<uuid:uuid>/", views.send_file, name="file-download"),
]
