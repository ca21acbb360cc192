from django.urls import URLPattern, path

from catalogue.views import (
    datasets,
    downloads,
    embargo,
    finding,
    notices,
    quarantine,
    registering,
    requests,
    saved_searches,
    searching,
    stewarding,
    tokens,
)

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
    path("datasets/<uuid:pid>/download.zip", downloads.send_archive, name="dataset-zip"),
    path(
        "datasets/<uuid:pid>/checksums.sha256", downloads.send_checksums, name="dataset-checksums"
    ),
    path("datasets/<uuid:pid>/access/", embargo.show_access, name="dataset-access"),
    path("datasets/<uuid:pid>/access/<slug:slug>/", embargo.do, name="dataset-deed"),
    path("datasets/<uuid:pid>/guests/<uuid:guest>/end/", embargo.end_visit_of, name="visit-end"),
    path("requests/", requests.show_requests, name="requests"),
    path("requests/<uuid:uuid>/<slug:slug>/", requests.do, name="request-deed"),
    path("embargoes/", requests.show_endings, name="endings"),
    path("me/notices/", notices.show_notices, name="notices"),
    path("me/notices/unsubscribe/", notices.unsubscribe, name="unsubscribe"),
    path("steward/", stewarding.show_steward, name="steward"),
    path("steward/incomplete/", stewarding.show_incomplete, name="incomplete"),
    path("steward/audit/", stewarding.show_audit, name="audit"),
    path("me/tokens/", tokens.show_tokens, name="tokens"),
    path("me/tokens/<uuid:uuid>/revoke/", tokens.revoke, name="token-revoke"),
    path("steward/quarantine/", quarantine.show_quarantine, name="quarantine"),
    path("search/help/", searching.show_help, name="search-help"),
    path("me/searches/", saved_searches.show_searches, name="saved-searches"),
    path("me/searches/<uuid:uuid>/", saved_searches.change_search, name="saved-search"),
    path(
        "me/searches/<uuid:uuid>/delete/", saved_searches.delete_search, name="saved-search-delete"
    ),
]
