"""What goes wrong with a NATS server, in words for whoever set its address, and whether waiting would help."""

import ssl
from urllib.parse import urlsplit

from nats import errors
from nats.js.errors import APIError, ServiceUnavailableError

from runstead.domain.errors import RunsteadError

_OFF_FOR_THIS_ACCOUNT = (10035, 10039, 10076)
_TOO_LITTLE_ROOM = (10002, 10023, 10028, 10047)
_TOO_FEW_SERVERS = (10005, 10074)
"""JetStream's own codes. HTTP's, which come along, are 500 and 503 for what passes and for what does not."""


class UnusableBus(RunsteadError):
    """Trying again will not help, or has not so far."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"The NATS server at {without_secrets(url)} cannot be used: {why}.")


class Unreadable(Exception):
    """What is kept of a run's events cannot be read now."""


class PlainLink(errors.Error):
    """A server that should be spoken to in private cannot be."""

    def __str__(self) -> str:
        return "it offers no TLS, which its address or RUNSTEAD_NATS_CA asks for"


class CertificateWanted(errors.Error):
    """A server asks who we are before it hears anything."""

    def __str__(self) -> str:
        return "it asks for a certificate; set RUNSTEAD_NATS_CERTIFICATE and RUNSTEAD_NATS_CERTIFICATE_KEY"


def is_final(error: Exception) -> bool:
    """Whether the same question would get the same answer."""
    if isinstance(error, UnusableBus | PlainLink | CertificateWanted):
        return True
    if isinstance(error, APIError):
        known = (*_OFF_FOR_THIS_ACCOUNT, *_TOO_LITTLE_ROOM, *_TOO_FEW_SERVERS)
        # In an election JetStream is unavailable for seconds.
        return error.code not in (500, 503) or error.err_code in known
    return any(word in str(error) for word in ("Authorization Violation", "Permissions Violation", "certificate"))


def words(error: Exception) -> str:
    """What went wrong, to people."""
    if isinstance(error, TimeoutError):
        return "nothing answers there"
    if isinstance(error, APIError) and error.err_code in _TOO_LITTLE_ROOM:
        return (
            f"JetStream has too little room ({error.description}); give it more by max_file_store, or the account by its "
            "limits, or lower RUNSTEAD_NATS_MAX_BYTES, which is what events may take"
        )
    if isinstance(error, APIError) and error.err_code in _TOO_FEW_SERVERS:
        return (
            f"JetStream refused: {error.description}; RUNSTEAD_NATS_REPLICAS can be no more than its servers, "
            "and 1 if there is one"
        )
    if isinstance(error, APIError) and error.err_code in _OFF_FOR_THIS_ACCOUNT:
        return f"JetStream refused: {error.description}; enable it for this user's account"
    if isinstance(error, ServiceUnavailableError):
        return "JetStream is not enabled or has no leader; start it with -js, or add a jetstream block to its configuration"
    if isinstance(error, APIError):
        return f"JetStream refused: {error.description}"
    if "Authorization Violation" in str(error):
        return "it refused the credentials"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); name its authority in RUNSTEAD_NATS_CA, "
            "and the address as the certificate does"
        )
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error})"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix("nats: ")


def without_secrets(url: str) -> str:
    """An address, or several separated by commas, as it may be shown and logged."""
    return ", ".join(_without_secrets(one) for one in url.split(","))


def _without_secrets(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:
        return "an address that is none"
