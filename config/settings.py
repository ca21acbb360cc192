"""
Every setting, read once, in the order in which a deployer meets them.

Nothing else reads the environment. All but the secret key have a default that works on
a laptop; docs/settings.md explains each. Importing this file has no side effect.
"""

import os
from pathlib import Path
from typing import Any

import dj_database_url

from config.database import connection_settings

BASE = Path(__file__).resolve().parent.parent


def _secret(name: str, default_file: Path) -> str:
    """Read a secret from X, else the file named by X_FILE, else the data folder's own."""
    if value := os.environ.get(name, ""):
        return value
    named = os.environ.get(f"{name}_FILE", "")
    file = Path(named) if named else default_file
    if named or file.is_file():
        return file.read_text().strip()
    return ""


def _flag(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "")
    return value.lower() in {"1", "true", "yes", "on"} if value else default


# Where everything lives that is not code.
PALIMPSEST_DATA = Path(os.environ.get("PALIMPSEST_DATA") or BASE / "var").absolute()

# Security.
# Without one manage.py makes a key, and a web server refuses to start.
SECRET_KEY = _secret("PALIMPSEST_SECRET_KEY", PALIMPSEST_DATA / "secret-key") or "unset"
DEBUG = _flag("PALIMPSEST_DEBUG", default=False)
ALLOWED_HOSTS = os.environ.get("PALIMPSEST_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

# Database: an outside PostgreSQL by URL, else the embedded one.
DATABASE_URL = os.environ.get("DATABASE_URL", "")
_database: dict[str, Any] = (
    dict(dj_database_url.parse(DATABASE_URL))
    if DATABASE_URL
    else connection_settings(PALIMPSEST_DATA)
)
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Processing. An empty scheduler means: an embedded Dask cluster inside each worker.
PALIMPSEST_ENGINE = os.environ.get("PALIMPSEST_ENGINE", "dask")
PALIMPSEST_SCHEDULER = os.environ.get("PALIMPSEST_SCHEDULER", "")
PALIMPSEST_SLOTS = int(os.environ.get("PALIMPSEST_SLOTS") or 1)
PALIMPSEST_LEASE_S = float(os.environ.get("PALIMPSEST_LEASE_S") or 60)
PALIMPSEST_CORES = int(os.environ.get("PALIMPSEST_CORES") or os.cpu_count() or 1)

# The rest is Django's, and the same everywhere.
AUTH_USER_MODEL = "catalogue.User"
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "catalogue",
    "processing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.ContentSecurityPolicyMiddleware",
    "config.problems.ProblemPageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE / "static"]
STATIC_ROOT = PALIMPSEST_DATA / "static"
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dataset-list"
LOGOUT_REDIRECT_URL = "dataset-list"
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "SAMEORIGIN"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

REST_FRAMEWORK = {
    # Basic first: DRF takes the WWW-Authenticate header from the first class, and
    # answers 403 instead of 401 where it has none.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "catalogue.api.authentication.PlainBasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],  # access decides
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.problems.respond",
}
KNOX_TOKEN_MODEL = "catalogue.ApiToken"
SPECTACULAR_SETTINGS = {
    "TITLE": "Palimpsest",
    "DESCRIPTION": "Datasets, processing runs and derived products with their provenance.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname:7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"distributed": {"level": "ERROR"}},
}
