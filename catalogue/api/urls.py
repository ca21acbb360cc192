from django.urls import URLPattern, path
from drf_spectacular.views import SpectacularJSONAPIView

from catalogue.api import views

urlpatterns: list[URLPattern] = [
    path("datasets/", views.Datasets.as_view(), name="api-datasets"),
    path("datasets/facets/", views.Facets.as_view(), name="api-facets"),
    path("datasets/<str:pid>/", views.OneDataset.as_view(), name="api-dataset"),
    path("datasets/<str:pid>/files/", views.DatasetFiles.as_view(), name="api-dataset-files"),
    path("datasets/<str:pid>/lineage/", views.Lineage.as_view(), name="api-dataset-lineage"),
    path("datasets/<str:pid>/thumbnail/", views.Thumbnail.as_view(), name="api-dataset-thumbnail"),
    path("files/<str:uuid>/", views.OneFile.as_view(), name="api-file"),
    path("files/<str:uuid>/content/", views.FileContent.as_view(), name="api-file-content"),
    path("activities/", views.Activities.as_view(), name="api-activities"),
    path("activities/<str:pid>/", views.OneActivity.as_view(), name="api-activity"),
    path("schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
]
