"""For a cell of a notebook (Colab, with a mounted drive): compiles what `edgetpu-folder` puts into a shared folder.

    !python edgetpu-folder-serve.py /content/drive/MyDrive/edgetpu

It takes one job after the other, until it is interrupted. A second argument is how often it looks, in seconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def main(shared: str, poll: str = "1") -> None:
    while True:
        for job in sorted(Path(shared).iterdir()):
            if (job / "arguments").exists():
                serve(job)
        time.sleep(float(poll))


def serve(job: Path) -> None:
    words = (job / "arguments").read_text().splitlines()
    (job / "arguments").unlink()
    with (job / "text").open("w") as text:
        command = ["edgetpu_compiler", *words]
        code = subprocess.run(command, cwd=job, stdout=text, stderr=subprocess.STDOUT, check=False).returncode
    (job / "status.new").write_text(str(code if code >= 0 else 128 - code))
    (job / "status.new").rename(job / "status")


if __name__ == "__main__":
    main(*sys.argv[1:3])
