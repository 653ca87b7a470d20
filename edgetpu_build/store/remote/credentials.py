"""Who we are to a server: from the environment or netrc, never from pyproject.toml, which everybody can read.

``EDGETPU_BUILD_REMOTE_TOKEN``, and a name and password in the URL, go to the address in ``EDGETPU_BUILD_REMOTE_CACHE``
and to no other: a project that one has just cloned must not be able to send them somewhere else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

TOKEN = "EDGETPU_BUILD_REMOTE_TOKEN"  # noqa: S105 - the variable's name


def authorization(url: str, env: Mapping[str, str], *, from_env: bool) -> str:
    """The header's value for a URL, "" for none. ``from_env``: the URL itself stands in the environment."""
    parts = urlsplit(url)
    if from_env and env.get(TOKEN):
        return f"Bearer {env[TOKEN]}"
    if from_env and parts.username:
        return basic(unquote(parts.username), unquote(parts.password or ""))
    return _from_netrc(parts.hostname or "", env)


def basic(name: str | None, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def without_secrets(url: str) -> str:
    """A URL as it may be shown, and as it is asked: no name, password, query or fragment."""
    parts = urlsplit(url)
    return urlunsplit(SplitResult(parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def _from_netrc(host: str, env: Mapping[str, str]) -> str:
    import os
    from netrc import NetrcParseError, netrc

    path = env.get("NETRC") or os.path.join(env.get("HOME") or os.path.expanduser("~"), ".netrc")
    try:
        found = netrc(path).authenticators(host)
    except (OSError, NetrcParseError, UnicodeDecodeError):
        return ""
    return basic(found[0], found[2] or "") if found else ""
