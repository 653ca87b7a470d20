"""The reference page of the configuration, made from the keys, so that it cannot say what the parser does not do."""

from __future__ import annotations

from edgetpu_build.config.keys import ENVIRONMENT, HOOK_OPTIONS, KEYS, REMOTE_ALLOWED, Key, Scope

_HEADINGS: dict[Scope, tuple[str, str]] = {
    "project": ("`[tool.edgetpu]`", "What holds for the whole project."),
    "model": ("`[tool.edgetpu.models.NAME]`", "One model, or with a glob as `source` one for each match."),
    "group": (
        "`[tool.edgetpu.groups.NAME]`",
        "Models that are compiled together and share the on-chip memory. A group is built as one: whole or not at all.",
    ),
    "budget": (
        "Budgets",
        """A `budget` table stands in the project's table, a model's or a group's. What the project says is inherited
key by key; `"none"` lifts it. A broken budget fails `build` and `check`.""",
    ),
    "device": ("`[tool.edgetpu.device]`", "The device that latency is predicted for and that is simulated."),
    "remote": ("`remote-cache` tables", "A shared store, where more than its URL is to be said."),
}

_HEAD = """\
# Configuration

All settings stand in `pyproject.toml`, in the table `[tool.edgetpu]`. A key that is not listed here is an error, and
nothing is compiled while the configuration is wrong. Sizes are bytes, as a number or as a string with a unit (B, KB,
KiB, MB, MiB); durations are strings with a unit (ns, us, ms, s, min). The same page for machines is the JSON Schema
that `edgetpu-build schema` prints; `validate-pyproject` finds it by itself.

The build hook is switched on by a table of its own, which hatch asks for even if it is empty:

```toml
[tool.hatch.build.hooks.edgetpu]
```

It takes no options but hatch's: {options}.
"""


def page() -> str:
    """Markdown, for docs/reference/configuration.md."""
    parts = [_HEAD.format(options=", ".join(f"`{name}`" for name in HOOK_OPTIONS))]
    parts += [_section(scope) for scope in _HEADINGS]
    parts.append(_environment())
    return "\n".join(parts)


def _section(scope: Scope) -> str:
    title, intro = _HEADINGS[scope]
    return f"## {title}\n\n{intro}\n\n" + "\n".join(_entry(key) for key in KEYS[scope].values())


def _entry(key: Key) -> str:
    allowed = key.kind.allowed if key.kind else _TABLES[key.table or "project"]
    facts = [f"Allowed: {allowed}"]
    facts += [f"Default: `{key.default}`"] if key.default else []
    facts += ["Required"] if key.required else []
    facts += [f"Environment: `{key.env}`"] if key.env else []
    listed = "\n".join(f"- {fact}" for fact in facts)
    return f"### `{key.name}`\n\n{key.doc}\n\n{listed}\n\n```toml\n{key.example}\n```\n"


_TABLES: dict[Scope, str] = {
    "project": "a table",
    "model": "a table of models, by name",
    "group": "a table of groups, by name",
    "budget": "a budget table",
    "device": "a device table",
    "remote": REMOTE_ALLOWED,
}


def _environment() -> str:
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items())
    return f"## Environment\n\nAn empty variable is as good as none.\n\n| variable | meaning |\n|---|---|\n{rows}\n"
