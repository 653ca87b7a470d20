"""A page for every error code: what it means and what to do. `explain ETBnnn` and docs/reference/errors.md print it.

The code and its title are in ``errors.CATALOGUE``; here are the words that do not fit in a message.
"""

from __future__ import annotations

from edgetpu_build.errors import BUG_EXIT, CATALOGUE

_EXITS = {
    1: "A check or a budget failed",
    2: "Usage or configuration",
    3: "A model cannot be compiled",
    4: "The compiler is missing or of the wrong version",
    5: "Cache, lock or file system",
    7: "A bug of ours",
}

# code -> (what it means, what to do)
PAGES: dict[str, tuple[str, str]] = {
    "ETB101": (
        "A figure of a compiled model is above what its budget allows. The unit was built all the same.",
        "Make the model smaller, move it to more segments, or raise the budget on the line that the message names.",
    ),
    "ETB102": (
        "The figure that a budget is judged by is an estimate, or unknown.",
        "Compile with Google's compiler to get exact figures, or leave `strict-figures` out of the budget.",
    ),
    "ETB103": (
        "`edgetpu.lock` does not describe what the configuration and the sources ask for now.",
        "Run `edgetpu-build build` and commit `edgetpu.lock`.",
    ),
    "ETB104": (
        "A compiled file is missing, or its content is not what the lock says.",
        "Run `edgetpu-build build`: it restores the file from the store or compiles it again.",
    ),
    "ETB105": (
        "A source, an option or the compiler changed since this unit was built.",
        "Run `edgetpu-build build`; `edgetpu-build explain NAME` says which ingredient changed.",
    ),
    "ETB106": (
        "The builtin compiler made the outputs: no Edge TPU runs them, so they do not go into a wheel or sdist.",
        'Compile with Google\'s compiler (`compiler = "google"`), or set `allow-simulator = true` in [tool.edgetpu].',
    ),
    "ETB107": (
        "pyproject.toml has no `[tool.hatch.build.hooks.edgetpu]`, so hatch never calls this project's build hook.",
        "Add the table (it may be empty); `edgetpu-build init` writes it.",
    ),
    "ETB108": (
        "The build wrote files that the commit does not hold yet.",
        "Stage the files that the message names with `git add` and commit again.",
    ),
    "ETB109": (
        "A compiled model should be in the archive that was just built and is not, or is there with other content.",
        "Look for `exclude`, `only-include` or `sources` in [tool.hatch.build] that leaves it out; see `wheel-path`.",
    ),
    "ETB110": (
        "Compiled afresh, a unit does not give the bytes that the lock or the store holds.",
        "Run `edgetpu-build cache verify` and `edgetpu-build build --force`; tell us if the builtin compiler did it.",
    ),
    "ETB201": (
        "pyproject.toml is missing, unreadable or not TOML.",
        "Mend the line that the message names, or say where the project is with `--project DIR`.",
    ),
    "ETB202": ("pyproject.toml has no `[tool.edgetpu]`.", "Run `edgetpu-build init`, or add the table."),
    "ETB203": (
        "A key in [tool.edgetpu] is not one of those that exist.",
        "Take the one that the hint names; docs/reference/configuration.md lists all.",
    ),
    "ETB204": ("A key's value is of another type than it takes.", "Write it as the message says."),
    "ETB205": ("A key's value is of the right type but not one of those allowed.", "Take one that the message lists."),
    "ETB206": ("A table lacks a key that it must have.", "Add it to the table that the message names."),
    "ETB207": ("Two keys or options stand together that cannot both hold.", "Remove one of them."),
    "ETB208": (
        "Names of models and groups hold letters, digits, `-`, `_` and `.`, and no two are the same.",
        "Rename the one that the message names; a rename compiles nothing.",
    ),
    "ETB209": (
        "A name was given that no model, group, rule or code has.",
        "Take the one that the hint names; `edgetpu-build check -v` lists what the project has.",
    ),
    "ETB210": (
        "An output would leave the project's folder, or a source cannot travel in an sdist.",
        "Choose a path inside the project, without `..`, absolute parts or symbolic links that lead out.",
    ),
    "ETB211": ("The model file is not there, or is no regular file.", "Correct `source`, or bring the file."),
    "ETB212": (
        "Two outputs have the same path, or an output falls on a source, pyproject.toml or the lock.",
        "Set `output` or `out-dir` of one of them.",
    ),
    "ETB213": (
        "The command or option belongs to a later version and is refused rather than ignored.",
        "Leave it out; `edgetpu-build --help` lists what this version does.",
    ),
    "ETB214": (
        "The command line cannot be understood: an unknown command or option, or a value that is not allowed.",
        "`edgetpu-build COMMAND --help` shows what there is.",
    ),
    "ETB215": (
        "The command needs a package that is not installed with edgetpu-build itself.",
        "Install the extra that the hint names, such as `pip install 'edgetpu-build[runtime]'`.",
    ),
    "ETB216": (
        "What was given as a model's input cannot be read, or has another shape or type than the model takes.",
        "`edgetpu-build inspect FILE` shows the model's inputs; save an array of that shape as .npy.",
    ),
    "ETB301": ("The file is not a TensorFlow Lite model.", "Export the model as .tflite; check how it was copied."),
    "ETB302": (
        "The file starts like a TensorFlow Lite model but an offset or a size in it leads nowhere.",
        "Copy or export it again; compare its size with the original's.",
    ),
    "ETB303": (
        "The file is a Git LFS pointer: the few lines that stand for the model until LFS fetches it.",
        "Run `git lfs pull`.",
    ),
    "ETB304": ("The model holds an Edge TPU operator already.", "Name the original model as source."),
    "ETB305": (
        "The model has more than one subgraph (control flow), which the Edge TPU toolchain does not take.",
        "Export it without `If` and `While`, one subgraph in all.",
    ),
    "ETB306": (
        "The model computes in floating point; the Edge TPU computes on 8-bit integers.",
        "Quantise it fully to int8 (post-training quantisation with a representative data set).",
    ),
    "ETB307": (
        "A tensor's shape is not known when the model is compiled.",
        "Export it with a fixed shape, the batch included.",
    ),
    "ETB308": (
        "Not one operator goes to the Edge TPU, so compiling changes nothing.",
        "`edgetpu-build inspect FILE` gives each reason; `edgetpu-operators = { min = 0 }` in the budget allows it.",
    ),
    "ETB309": (
        "An operator is of a version that came after the compiler.",
        "Export with an older TensorFlow, or take a newer compiler.",
    ),
    "ETB310": (
        "A tensor name in `cuts` or `intermediate-tensors` is not in the model.",
        "Take the one that the hint names.",
    ),
    "ETB311": ("The model has too few places to cut it into that many segments.", "Ask for fewer `segments`."),
    "ETB312": (
        "The compiler ended with an error; its own words are in the message.",
        "`edgetpu-build inspect FILE` shows what the builtin core thinks of each operator.",
    ),
    "ETB313": ("The compiler was not done in time and was stopped.", "Raise `timeout`, or look for why it hangs."),
    "ETB314": ("The compiler said that all was well but left no usable file.", "Run it by hand with the same model."),
    "ETB315": (
        "The compiler's text and the file that it wrote do not agree, so neither is trusted.",
        "Run it by hand; tell us which version it was.",
    ),
    "ETB316": (
        "The model needs a newer Edge TPU runtime than `min-runtime-version` allows.",
        "Raise `min-runtime-version`, or leave out the operator that the message names.",
    ),
    "ETB317": ("The file was written while it was read.", "Build again once whatever writes it is done."),
    "ETB318": (
        "The model holds a custom operator that the compiler cannot load, so it refuses the whole model.",
        "Convert without `SELECT_TF_OPS`, or leave that operator to the application.",
    ),
    "ETB319": (
        "A scale is zero or infinite, or TensorFlow Lite refuses it: a bias apart from its layer, for example.",
        "Calibrate with data that reach every branch of the model, then convert again from the float model.",
    ),
    "ETB320": (
        "The file holds fields of a newer TensorFlow Lite schema, which would be lost if it were rewritten.",
        "Convert with the TensorFlow or LiteRT version that the message allows, or upgrade edgetpu-build.",
    ),
    "ETB321": (
        "The runtime, simulated or real, does not take the compiled file or the device; the message is its own text.",
        "Compile for the runtime that the device has, and name a device that there is.",
    ),
    "ETB322": (
        "`reweight` puts new numbers into a compiled model. Operators, shapes, types and options must be the same.",
        "Compile the new model. Constants that are no weights (shapes, paddings) count as part of the architecture.",
    ),
    "ETB323": (
        "Something about the compiled file is not understood, so `reweight` refuses: it never guesses.",
        "Compile the new model with Google's compiler; docs/explanation/reweighting.md lists what is covered.",
    ),
    "ETB401": (
        "Google's compiler is asked for and was not found.",
        'Install `edgetpu_compiler`, set `compiler-command`, or take `compiler = "builtin"` (simulator artifacts).',
    ),
    "ETB402": (
        "The compiler that was found is not one that `requires-compiler` or the lock accepts.",
        "Install the version named, or run `edgetpu-build lock --upgrade` to take the one that is there.",
    ),
    "ETB403": (
        "The compiler was started and gave no version.",
        "Run `compiler-command` with `--version` by hand and see what it says.",
    ),
    "ETB404": (
        "`--executor dask://HOST:PORT` names a scheduler that is out of reach, has no workers, or workers that differ.",
        "Start `dask scheduler` and `dask worker`, with this version of edgetpu-build; see docs/how-to/farm.md.",
    ),
    "ETB501": (
        "The file system refused a file of the project: no room, no permission, read-only.",
        "Free space or mend permissions of the path named, then build again: nothing is half written.",
    ),
    "ETB502": ("`edgetpu.lock` is not a lock.", "Restore it from git, or remove it and run `edgetpu-build build`."),
    "ETB503": ("`edgetpu.lock` was written by a newer edgetpu-build.", "Upgrade edgetpu-build."),
    "ETB504": (
        "`edgetpu.lock` holds merge-conflict markers.",
        "Take either side (`git checkout --ours edgetpu.lock`) and run `edgetpu-build build`.",
    ),
    "ETB505": ("Files in the store are not what they were when they were written.", "Run `edgetpu-build cache clear`."),
    "ETB506": (
        "The store cannot be read or written; the build goes on without it.",
        "Check permissions and room of `edgetpu-build cache dir`, or set `EDGETPU_BUILD_CACHE_DIR`.",
    ),
    "ETB507": (
        "A store of `remote-cache` is silent, refuses us or holds what is not right; the build goes on without it.",
        "Ask it by hand (`curl URL/ac/x` answers 404 where all is well), then see `edgetpu-build cache stats`.",
    ),
    "ETB701": (
        "Something happened that nobody foresaw. A file with the details was written and named.",
        "Send that file with the steps that led to it; it holds no secrets.",
    ),
}


def page(code: str) -> str:
    """The page of one code, as `explain` prints it. KeyError if there is no such code."""
    meaning, remedy = PAGES[code]
    return f"{code}: {CATALOGUE[code]} (exit code {_exit(code)})\n\n{meaning}\n\nWhat to do: {remedy}"


def errors_page() -> str:
    """docs/reference/errors.md: every code by exit code."""
    lines = [
        "# Error codes",
        "",
        "The first digit is the exit code (7 stands for 70). `edgetpu-build explain CODE` prints",
    ]
    lines += ["the same text.", ""]
    for digit, title in _EXITS.items():
        lines += [f"## {title}", ""]
        for code, name in CATALOGUE.items():
            if code[3] == str(digit):
                meaning, remedy = PAGES[code]
                lines += [f"### {code}: {name}", "", f"{meaning}", "", f"**What to do:** {remedy}", ""]
    return "\n".join(lines)


def _exit(code: str) -> int:
    return BUG_EXIT if code[3] == "7" else int(code[3])
