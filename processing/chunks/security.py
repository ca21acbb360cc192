"""TLS to a Dask scheduler: whoever reaches an open one can run code on its workers."""

from distributed import Security

from processing.ticket import Tls


def security_of(tls: Tls | None) -> Security | None:
    """Return the certificates for every part that we may play; None where there is no TLS."""
    if tls is None:
        return None
    cert, key = str(tls.cert), str(tls.key)
    return Security(
        tls_ca_file=str(tls.ca),
        tls_client_cert=cert,
        tls_client_key=key,
        tls_scheduler_cert=cert,
        tls_scheduler_key=key,
        tls_worker_cert=cert,
        tls_worker_key=key,
        require_encryption=True,
    )
