"""The door for a WSGI server: ``gunicorn config.wsgi``."""

import os

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
if settings.SECRET_KEY == "unset":  # noqa: S105 - no password, the mark of a missing one
    raise ImproperlyConfigured(
        "There is no secret key. Set PALIMPSEST_SECRET_KEY, or run manage.py once: it makes one."
    )
application = get_wsgi_application()
