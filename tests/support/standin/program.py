"""What stands on PATH as `edgetpu_compiler`: replays a recording, and knows nothing of what a compiler does.

The folder $STANDIN holds ``recording.json``: a list of answers, asked in order; the first that fits is given::

    {"arguments": [...], "models": [sha256, ...], "times": n,              what it answers, and how often at most
     "print": [[text or seconds, ...]], "files": {name: blob}, "code": n, "signal": n, "leave": [command]}

``arguments`` are the options as they must be given ("*" fits all); models are told by their digests. In texts and
file names ``{0}`` is the path of the first model as it was given, ``{stem 0}`` its stem, ``{out}`` the folder. A number
among the texts is a pause; "forever" one without end; "ignore" makes it deaf to SIGTERM. Each start is appended to
``calls.jsonl``, with what of its inputs it could see.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time


def main() -> int:
    home = os.environ["STANDIN"]
    options, models = split(sys.argv[1:])
    digests = [digest(path) for path in models]
    note(home, {"argv": sys.argv[1:], "cwd": os.getcwd(), "models": digests, "pid": os.getpid()})
    with open(os.path.join(home, "recording.json")) as file:
        answers = json.load(file)
    for number, answer in enumerate(answers):
        if fits(answer, options, digests) and left(home, number, answer):
            return give(home, answer, options, models)
    print(f"stand-in: no recording for {options} {digests}")
    return 99


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    valued = ("-i", "-m", "-n", "-o", "-k", "-t", "--out_dir", "--num_segments", "--delegate_search_step")
    options, models, words = [], [], iter(argv)
    for word in words:
        if not word.startswith("-"):
            models.append(word)
        elif word in valued:
            options.append(f"{word}={next(words)}")
        else:
            options.append(word)
    return options, models


def digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return "unreadable"


def fits(answer: dict, options: list[str], digests: list[str]) -> bool:
    places = ("--out_dir", "-o=", "--timeout_sec", "-t=")
    asked = sorted(option for option in options if not option.startswith(places))
    wanted = answer.get("arguments", "*")
    return wanted in ("*", asked) and answer.get("models", digests) == digests


def left(home: str, number: int, answer: dict) -> bool:
    if "times" not in answer:
        return True
    marks = os.path.join(home, f"given-{number}")
    with open(marks, "a+") as file:
        file.write("x")
        file.flush()
        return os.path.getsize(marks) <= answer["times"]


def give(home: str, answer: dict, options: list[str], models: list[str]) -> int:
    out = next((o.partition("=")[2] for o in options if o.startswith(("--out_dir=", "-o="))), "")
    names = {"out": out + "/" if out else ""}
    for number, path in enumerate(models):
        names |= {str(number): path, f"stem {number}": os.path.basename(path).removesuffix(".tflite")}
    for name, blob in answer.get("files", {}).items():
        with open(os.path.join(home, blob), "rb") as source, open(os.path.join(out, filled(name, names)), "wb") as file:
            content = source.read()
            file.write(filled(content.decode(), names).encode() if name.endswith(".log") else content)
    if "leave" in answer:
        subprocess.Popen(answer["leave"])
    for part in answer.get("print", ()):
        if part == "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif part == "forever":
            while True:
                time.sleep(3600)
        elif isinstance(part, (int, float)):
            time.sleep(part)
        else:
            sys.stdout.write(filled(part, names))
            sys.stdout.flush()
    if "signal" in answer:
        os.kill(os.getpid(), answer["signal"])
    return answer.get("code", 0)


def filled(text: str, names: dict) -> str:
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def note(home: str, call: dict) -> None:
    with open(os.path.join(home, "calls.jsonl"), "a") as file:
        file.write(json.dumps(call) + "\n")


if __name__ == "__main__":
    sys.exit(main())
