"""Shared stores: what one machine compiled, no other compiles. Nothing here is imported before a local miss.

They are asked in order, behind the local store, and speak of the same two kinds of things: ``ac/<fingerprint>``, a
record, and ``cas/<sha256>``, the bytes that it names. A shared store is not trusted: every byte is checked, and one
that is silent, broken or wrong costs a run two seconds at most and one warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgetpu_build.store.remote import credentials
from edgetpu_build.store.remote.patience import SECONDS, Patience
from edgetpu_build.store.remote.place import Place
from edgetpu_build.store.remote.tier import Tier
from edgetpu_build.store.remote.tiers import Tiers

if TYPE_CHECKING:
    from edgetpu_build.store.content import Remote, Store

__all__ = ["Tiers", "open_tiers"]


def open_tiers(store: Store, remotes: Sequence[Remote], env: Mapping[str, str]) -> Tiers:
    """The shared stores, nearest first; none is asked yet. They share the patience of one run."""
    return Tiers(store, [_tier(store, remote, env, SECONDS / len(remotes)) for remote in remotes])


def _tier(store: Store, remote: Remote, env: Mapping[str, str], seconds: float) -> Tier:
    return Tier(
        credentials.without_secrets(remote.url),
        lambda: _place(remote, env),
        writes=remote.writes,
        patience=Patience(seconds),
        tell=store.shared_trouble,
    )


def _place(remote: Remote, env: Mapping[str, str]) -> Place:
    url, scheme = credentials.without_secrets(remote.url), remote.url.partition(":")[0].lower()
    if scheme == "file":
        from edgetpu_build.store.remote.folder import Folder

        return Folder(url)
    if scheme in ("http", "https"):
        from edgetpu_build.store.remote.web import Web

        return Web(url, credentials.authorization(remote.url, env, from_env=remote.from_env))
    from edgetpu_build.store.remote.objects import Objects

    return Objects(url, env)
