"""The answer when nothing changed, at the price of one stat a file: for `build`, `check` and `check --staged`.

Imports os and sys alone: everything else would cost more than the work. A run that found a project in order leaves an
index in the cache; if each file that it names has the same stamps still, there is nothing to say. In all other cases
``main`` returns None and the whole machinery decides.

An index is text, one field a line, in a file for each of the three questions (``build``, ``check``, ``staged``)::

    edgetpu-build index 1
    version of edgetpu-build
    root of the project
    settled | racy             racy: some stamp was too young to tell a later change of the same file apart
    fold                       all stamps in order, folded into one number by ``fold``; 0 for ``staged``
    summary                    what to print
    path ...                   pyproject.toml, lock, sources, outputs, folders of globs, our own compiler; to the end

Paths are relative to the root or absolute. For ``staged`` the rest is what git lists of its index (``LISTING``). An
index that cannot be read is no index.
"""

import os
import sys

from edgetpu_build import __version__

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC = b"edgetpu-build index 1"
HARMLESS = "EDGETPU_BUILD_CACHE_DIR"
LISTING = ("ls-files", "--stage", "-z", "--", ".")
_QUESTIONS = {("build",): "build", ("check",): "check", ("check", "--staged"): "staged"}
_MASK = (1 << 64) - 1
_USER_CACHE = "~/Library/Caches/edgetpu-build" if sys.platform == "darwin" else "~/.cache/edgetpu-build"


def main(argv: list[str]) -> int | None:
    """Exit code 0 after `build`, `check`, `check --staged` (or with `-q`) where nothing changed; None: look closer."""
    quiet = argv[-1:] in (["-q"], ["--quiet"])
    question = _QUESTIONS.get(tuple(argv[:-1] if quiet else argv))
    if question is None or switched(os.environ):
        return None
    try:
        told = _told(question, os.environ)
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
        magic, version, where, settled, folded, told, rest = file.read().split(b"\n", 6)
    fits = magic == MAGIC and version == __version__.encode() and where == os.fsencode(root) and settled == b"settled"
    same = fits and (_listing(root) == rest if question == "staged" else _unchanged(root, rest, int(folded)))
    return told.decode() if same else None


def _unchanged(root: str, paths: bytes, folded: int) -> bool:
    here = os.getcwd()
    os.chdir(root)  # looking up a thousand short names is quicker than as many long ones
    try:
        return fold(map(os.stat, paths.split(b"\n"))) == folded
    finally:
        os.chdir(here)


def _listing(root: str) -> "bytes | None":
    if not hasattr(os, "posix_spawnp"):
        return None
    end, other = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, other, 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawnp("git", ["git", "-C", root, *LISTING], os.environ, file_actions=actions)
    os.close(other)
    with open(end, "rb", buffering=0) as pipe:
        listed = pipe.read()
    return listed if os.waitpid(pid, 0)[1] == 0 else None


def _root(folder: str) -> str:
    while not os.path.exists(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            raise FileNotFoundError("pyproject.toml")
        folder = parent
    return folder
