from __future__ import annotations

from io import StringIO

from edgetpu_build.report.progress import Progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def started(*, terminal: bool, columns: int = 80):
    stream, clock = StringIO(), Clock()
    return stream, clock, Progress(stream, terminal=terminal, columns=columns, clock=clock)


def test_what_is_over_at_once_shows_nothing():
    stream, _, progress = started(terminal=True)
    progress("compiling")
    progress.close()
    assert stream.getvalue() == ""


def test_a_terminals_line_is_rewritten_and_left_empty():
    stream, clock, progress = started(terminal=True)
    clock.now = 1.0
    progress("one")
    progress("two")
    progress.close()
    assert stream.getvalue() == "\r\x1b[2Kone\r\x1b[2Ktwo\r\x1b[2K"


def test_elsewhere_plain_lines_come_after_two_seconds_and_seldom():
    stream, clock, progress = started(terminal=False)
    clock.now = 1.9
    progress("early")
    clock.now = 2.1
    progress("late")
    progress("later")
    clock.now = 7.2
    progress("at last")
    progress.close()
    assert stream.getvalue() == "late\nat last\n"


def test_a_line_never_wraps():
    stream, clock, progress = started(terminal=True, columns=20)
    clock.now = 1.0
    progress("x" * 100)
    assert len(stream.getvalue().removeprefix("\r\x1b[2K")) == 19


def test_units_that_are_done_are_counted():
    stream, clock, progress = started(terminal=True)
    clock.now = 3.0
    progress.unit("a", "compiling")
    progress.unit("a", "done")
    progress.unit("b", "compiling")
    shown = stream.getvalue().split("\r\x1b[2K")[1:]
    assert shown == ["a: compiling", "1 done, a: done", "1 done, b: compiling"]


def test_a_closed_stream_ends_no_build():
    class Gone(StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    clock = Clock()
    progress = Progress(Gone(), terminal=True, clock=clock)
    clock.now = 1.0
    progress("x")
    progress("y")
    progress.close()
