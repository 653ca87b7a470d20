"""The content store: what was compiled once is never compiled again. It knows bytes and digests, never models."""

from edgetpu_build.store.content import Counters, Remote, Store, open_store
from edgetpu_build.store.record import Blob, Record
from edgetpu_build.store.state import project_dir

__all__ = ["Blob", "Counters", "Record", "Remote", "Store", "open_store", "project_dir"]
