"""
Every setting, read once, in the order in which a deployer meets them.

Nothing else reads the environment. All but the secret key have a default that works on
a laptop; docs/settings.md explains each. Importing this file has no side effect.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url

from config.database import connection_settings

BASE = Path(__file__).resolve().parent.parent


def _secret(name: str, default_file: Path | None = None) -> str:
    """Read a secret from X, else the file named by X_FILE, else the data folder's own."""
    if value := os.environ.get(name, ""):
        return value
    named = os.environ.get(f"{name}_FILE", "")
    file = Path(named) if named else default_file
    if file and (named or file.is_file()):
        return file.read_text().strip()
    return ""


def _flag(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, "")
    return value.lower() in {"1", "true", "yes", "on"} if value else default


def _list(name: str, default: str = "") -> list[str]:
    parts = (os.environ.get(name) or default).split(",")
    return [part.strip() for part in parts if part.strip()]


# Where everything lives that is not code.
PALIMPSEST_DATA = Path(os.environ.get("PALIMPSEST_DATA") or BASE / "var").absolute()

# Security.
# Without one manage.py makes a key, and a web server refuses to start.
SECRET_KEY = _secret("PALIMPSEST_SECRET_KEY", PALIMPSEST_DATA / "secret-key") or "unset"
DEBUG = _flag("PALIMPSEST_DEBUG", default=False)
ALLOWED_HOSTS = _list("PALIMPSEST_HOSTS", "127.0.0.1,localhost,[::1]")
# Whether people reach the site by https; off, or no cookie would stay on a laptop.
PALIMPSEST_HTTPS = _flag("PALIMPSEST_HTTPS", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PALIMPSEST_HTTPS
SECURE_HSTS_SECONDS = int(os.environ.get("PALIMPSEST_HSTS_S") or 3600) * PALIMPSEST_HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = PALIMPSEST_HTTPS
_proxy_header = os.environ.get("PALIMPSEST_PROXY_SSL_HEADER", "")
SECURE_PROXY_SSL_HEADER = (
    (f"HTTP_{_proxy_header.upper().replace('-', '_')}", "https") if _proxy_header else None
)
CSRF_TRUSTED_ORIGINS = _list("PALIMPSEST_ORIGINS")
SECURE_REFERRER_POLICY = "same-origin"  # addresses hold identifiers of closed data
SESSION_COOKIE_HTTPONLY = True
# Browsers that know frame-ancestors go by that; older ones frame nothing.
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # preloading binds a whole domain: its owner's matter

# Callers of REST: the longest life of a token in days, and calls a minute, 0 for any number:
# of a person, of one token of theirs, of an address without either, and for bytes.
PALIMPSEST_TOKEN_DAYS = int(os.environ.get("PALIMPSEST_TOKEN_DAYS") or 365)
PALIMPSEST_TOKENS_MAKE_TOKENS = _flag("PALIMPSEST_TOKENS_MAKE_TOKENS", default=False)
PALIMPSEST_RATE_PERSON = int(os.environ.get("PALIMPSEST_RATE_PERSON") or 6000)
PALIMPSEST_RATE_TOKEN = int(os.environ.get("PALIMPSEST_RATE_TOKEN") or 3000)
PALIMPSEST_RATE_ANONYMOUS = int(os.environ.get("PALIMPSEST_RATE_ANONYMOUS") or 1200)
PALIMPSEST_RATE_BYTES = int(os.environ.get("PALIMPSEST_RATE_BYTES") or 6000)
# How many proxies of ours each call passes: so many addresses of X-Forwarded-For are true.
PALIMPSEST_PROXIES = int(os.environ.get("PALIMPSEST_PROXIES") or 0)

# The largest picture or document that people may put beside a dataset.
PALIMPSEST_ATTACHMENT_MIB = int(os.environ.get("PALIMPSEST_ATTACHMENT_MIB") or 20)

# Database: an outside PostgreSQL by URL, else the embedded one.
DATABASE_URL = _secret("DATABASE_URL")
_database: dict[str, Any] = (
    dict(dj_database_url.parse(DATABASE_URL))
    if DATABASE_URL
    else connection_settings(PALIMPSEST_DATA)
)
# A minute: as long as a page and what it loads need; each thread of the web server holds one.
_database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
_database["OPTIONS"] = {"connect_timeout": 10} | _database.get("OPTIONS", {})
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Web server: read by config/gunicorn.py. Collected files are hashed, compressed and cached.
PALIMPSEST_BIND = os.environ.get("PALIMPSEST_BIND") or "127.0.0.1:8000"
PALIMPSEST_WEB_WORKERS = int(os.environ.get("PALIMPSEST_WEB_WORKERS") or 2)
PALIMPSEST_WEB_THREADS = int(os.environ.get("PALIMPSEST_WEB_THREADS") or 4)
PALIMPSEST_COLLECTED = _flag("PALIMPSEST_COLLECTED", default=False)

# Watching it.
PALIMPSEST_LOG = os.environ.get("PALIMPSEST_LOG") or "line"
PALIMPSEST_METRICS_ALLOW = _list("PALIMPSEST_METRICS_ALLOW", "127.0.0.0/8,::1/128")

# Processing. An empty scheduler means: an embedded Dask cluster inside each worker.
PALIMPSEST_ENGINE = os.environ.get("PALIMPSEST_ENGINE", "dask")
PALIMPSEST_SCHEDULER = os.environ.get("PALIMPSEST_SCHEDULER", "")
PALIMPSEST_SCHEDULER_TLS_CA = os.environ.get("PALIMPSEST_SCHEDULER_TLS_CA", "")
PALIMPSEST_SCHEDULER_TLS_CERT = os.environ.get("PALIMPSEST_SCHEDULER_TLS_CERT", "")
PALIMPSEST_SCHEDULER_TLS_KEY = os.environ.get("PALIMPSEST_SCHEDULER_TLS_KEY", "")
PALIMPSEST_SLURM_PARTITION = os.environ.get("PALIMPSEST_SLURM_PARTITION", "")
PALIMPSEST_SLURM_JOBS = int(os.environ.get("PALIMPSEST_SLURM_JOBS") or 4)
PALIMPSEST_SLURM_CORES = int(os.environ.get("PALIMPSEST_SLURM_CORES") or 1)
PALIMPSEST_SLURM_MEMORY = os.environ.get("PALIMPSEST_SLURM_MEMORY") or "4GiB"
PALIMPSEST_SLURM_MINUTES = int(os.environ.get("PALIMPSEST_SLURM_MINUTES") or 240)
PALIMPSEST_SLURM_INTERFACE = os.environ.get("PALIMPSEST_SLURM_INTERFACE", "")
PALIMPSEST_SLOTS = int(os.environ.get("PALIMPSEST_SLOTS") or 1)
PALIMPSEST_LEASE_S = float(os.environ.get("PALIMPSEST_LEASE_S") or 60)
PALIMPSEST_RETRY_S = float(os.environ.get("PALIMPSEST_RETRY_S") or 5)
PALIMPSEST_CORES = int(os.environ.get("PALIMPSEST_CORES") or os.cpu_count() or 1)

# Signing what was done: the private key as PEM, and the folder or file of older public keys.
PALIMPSEST_SIGNING_KEY = _secret("PALIMPSEST_SIGNING_KEY", PALIMPSEST_DATA / "signing-key.pem")
PALIMPSEST_OLD_KEYS = os.environ.get("PALIMPSEST_OLD_KEYS", "")

# Mail: one a day at most to a person. Without a server it is written to the log.
PALIMPSEST_URL = os.environ.get("PALIMPSEST_URL") or "http://127.0.0.1:8000"
_mail = urlsplit(_secret("PALIMPSEST_MAIL", PALIMPSEST_DATA / "mail-url"))
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _mail.hostname else 'console'}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _mail.hostname or "", _mail.port or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.scheme == "smtp+tls", _mail.scheme == "smtps"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("PALIMPSEST_MAIL_FROM") or "palimpsest@localhost"

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
    "config",
]
MIDDLEWARE = [
    # First: neither a redirect nor a name of the host stands before a probe.
    "config.middleware.OperatorDoorMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.HeadersMiddleware",
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
_storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": _storage
        if PALIMPSEST_COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PALIMPSEST_COLLECTED
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dataset-list"
LOGOUT_REDIRECT_URL = "dataset-list"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

REST_FRAMEWORK = {
    # Basic first: DRF takes the WWW-Authenticate header from the first class, and
    # answers 403 instead of 401 where it has none.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "catalogue.api.authentication.PlainBasicAuthentication",
        "catalogue.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],  # access decides
    "DEFAULT_THROTTLE_CLASSES": ["catalogue.api.throttling.CallThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.problems.respond",
}
KNOX_TOKEN_MODEL = "catalogue.ApiToken"  # noqa: S105 - the name of a model
MIGRATION_MODULES = {"knox": None}  # no table for the tokens of its own that ours replace
REST_KNOX = {"TOKEN_PREFIX": "plm_"}  # by which scanners find a token in a public repository
SPECTACULAR_SETTINGS = {
    "TITLE": "Palimpsest",
    "DESCRIPTION": "Datasets, processing runs and derived products with their provenance.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "catalogue.api.schema.forbid_unknown_fields",
    ],
    "ENUM_NAME_OVERRIDES": {
        "DatasetKindEnum": "catalogue.models.Dataset.Kind",
        "ProcessingRunStateEnum": "processing.models.ProcessingRun.State",
        "TokenScopeEnum": "catalogue.models.ApiToken.Scope",
    },
}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "config.logs.LineFormatter"},
        "json": {"()": "config.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "json" if PALIMPSEST_LOG == "json" else "line",
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "distributed": {"level": "ERROR"},
        # Only tracebacks: that a page is missing stands in the request's own line.
        "django.request": {"level": "ERROR"},
    },
}
