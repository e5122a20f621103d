"""Why a NATS server cannot be used, in words for whoever set its address."""

from urllib.parse import urlsplit

from runstead.domain.errors import RunsteadError


class UnusableBus(RunsteadError):
    """Trying again will not help, or has not so far."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"The NATS server at {without_secrets(url)} cannot be used: {why}.")


class Unreadable(Exception):
    """What is kept of a run's events cannot be read now."""


def without_secrets(url: str) -> str:
    """An address, or several separated by commas, as it may be shown and logged."""
    return ", ".join(_without_secrets(one) for one in url.split(","))


def _without_secrets(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:
        return "an address that is none"
