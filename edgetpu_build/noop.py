"""The answer when nothing changed, at the price of one stat a file: for `build` and `check`.

Imports os and sys alone: everything else would cost more than the work. A run that found a project in order leaves an
index in the cache; if each file that it names has the same stamps still, there is nothing to say. In all other cases
``main`` returns None and the whole machinery decides.

An index is text, one field a line, in a file for each of the two questions (``build``, ``check``)::

    edgetpu-build index 1
    version of edgetpu-build
    root of the project
    settled | racy             racy: some stamp was too young to tell a later change of the same file apart
    fold                       all stamps in order, folded into one number by ``fold``
    summary                    what to print
    path ...                   pyproject.toml, lock, sources, outputs, folders of globs, our own compiler; to the end

Paths are relative to the root or absolute. An index that cannot be read is no index.
"""

import os
import sys

from edgetpu_build import __version__

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC = b"edgetpu-build index 1"
HARMLESS = "EDGETPU_BUILD_CACHE_DIR"
_QUESTIONS = (["build"], ["check"])
_MASK = (1 << 64) - 1
_USER_CACHE = "~/Library/Caches/edgetpu-build" if sys.platform == "darwin" else "~/.cache/edgetpu-build"


def main(argv: list[str]) -> int | None:
    """Exit code 0 after `build` or `check` (or with `-q`) where nothing changed; None: look closer."""
    quiet = argv[1:] in (["-q"], ["--quiet"])
    if argv[: 1 if quiet else None] not in _QUESTIONS or switched(os.environ):
        return None
    try:
        told = _told(argv[0], os.environ)
    except (OSError, ValueError):
        return None
    if told is not None and not quiet:
        sys.stdout.write(told + "\n")
        sys.stdout.flush()
    return None if told is None else 0


def switched(environ: "Mapping[str, str]") -> bool:
    """Whether a variable is set that may change what a build does."""
    return any(name.startswith("EDGETPU_BUILD_") and name != HARMLESS for name in environ)


def summary(units: int) -> str:
    """The line that says that there was nothing to do, from here and from the real build alike."""
    return f"{units} {'unit' if units == 1 else 'units'} up to date"


def root_key(path: bytes) -> str:
    """FNV-1a, 64 bits, of a root: the name of its folder in the cache. Two roots may share one: readers check."""
    key = 0xCBF29CE484222325
    for byte in path:
        key = (key ^ byte) * 0x100000001B3 & _MASK
    return f"{key:016x}"


def state_dir(root: str, environ: "Mapping[str, str]") -> str:
    """The folder of one project in the cache, as `store.layout` has it (a test holds them together)."""
    if asked := environ.get("EDGETPU_BUILD_CACHE_DIR"):
        cache = os.path.abspath(os.path.expanduser(asked))
    elif os.path.isabs(base := environ.get("XDG_CACHE_HOME", "")):
        cache = os.path.join(base, "edgetpu-build")
    else:
        cache = os.path.expanduser(_USER_CACHE)
    return os.path.join(cache, "v1", "projects", root_key(os.fsencode(root)))


def fold(stats: "Iterable[os.stat_result]") -> int:
    """Time of change, size, inode and time of inode change of every file, as one number."""
    folded = 0
    for s in stats:
        folded = hash((folded, s.st_mtime_ns, s.st_size, s.st_ino, s.st_ctime_ns))
    return folded


def _told(question: str, environ: "Mapping[str, str]") -> "str | None":
    root = _root(os.getcwd())
    with open(os.path.join(state_dir(root, environ), question), "rb", buffering=0) as file:
        magic, version, where, settled, folded, told, *paths = file.read().split(b"\n")
    fits = magic == MAGIC and version == __version__.encode() and where == os.fsencode(root) and settled == b"settled"
    if not fits or not paths:
        return None
    here = os.getcwd()
    os.chdir(root)  # looking up a thousand short names is quicker than as many long ones
    try:
        return told.decode() if fold(map(os.stat, paths)) == int(folded) else None
    finally:
        os.chdir(here)


def _root(folder: str) -> str:
    while not os.path.exists(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            raise FileNotFoundError("pyproject.toml")
        folder = parent
    return folder
