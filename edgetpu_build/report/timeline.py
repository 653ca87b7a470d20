"""A timeline as a picture: a band a device, a row each for host, link and tiles, time from left to right.

SVG without scripts or fonts of its own; what a span is shows when the pointer rests on it. Light and dark by the
viewer's preference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import floor, log10

from edgetpu_build.latency.timeline import TRACKS, Kind, Span

WIDTH, LEFT, RIGHT, TOP = 1200, 74, 18, 84
ROW, GAP, BAND = 24, 5, 28  # heights: a row, between rows, between devices
NARROW = 0.15  # pixels below which a span is not drawn
COLOURS: dict[Kind, tuple[str, str]] = {
    "host": ("#8b949e", "request and hand-over"),
    "load": ("#b08800", "cached parameters, once"),
    "send": ("#57a0d3", "input and instructions"),
    "stream": ("#d1495b", "streamed parameters"),
    "array": ("#2f9e6e", "computing: array"),
    "weights": ("#66a61e", "computing: weights to the tiles"),
    "activations": ("#9bc53d", "computing: activations"),
    "receive": ("#7e6bc4", "output"),
}
_STYLE = """
text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:15px}.d{font-weight:600}.s{fill:#57606a}
.g{stroke:#d0d7de}.r{fill:#f6f8fa}.b{fill:#fff}.l{fill:#fff;font-size:11px;pointer-events:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b1}.g{stroke:#30363d}.r{fill:#161b22}.b{fill:#0d1117}}
"""


def svg(title: str, subtitle: str, spans: Sequence[Span], devices: Sequence[str]) -> str:
    """The picture's text."""
    end = max((span.end for span in spans), default=1.0) or 1.0
    band = len(TRACKS) * (ROW + GAP) + BAND
    height = TOP + len(devices) * band + 30
    scale = (WIDTH - LEFT - RIGHT) / end
    size, label = f'width="{WIDTH}" height="{height}"', f'aria-label="{escape(title)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {size} {label}>',
        f"<style>{_STYLE}</style>",
        f'<rect class="b" width="{WIDTH}" height="{height}"/>',
        f'<text class="t" x="{LEFT}" y="24">{escape(title)}</text>',
        f'<text class="s" x="{LEFT}" y="43">{escape(subtitle)}</text>',
        *_legend({span.kind for span in spans}),
        *_axis(end, scale, height),
    ]
    for number, name in enumerate(devices):
        lines += _rows(name, TOP + number * band)
    lines += [_box(span, scale, TOP + span.device * band) for span in spans if span.length * scale >= NARROW]
    return "\n".join([*lines, "</svg>", ""])


def _legend(kinds: set[Kind]) -> Iterator[str]:
    x = float(LEFT)
    for kind, (colour, words) in COLOURS.items():
        if kind in kinds:
            yield f'<rect x="{x:.0f}" y="54" width="11" height="11" rx="2" fill="{colour}"/>'
            yield f'<text class="s" x="{x + 16:.0f}" y="64">{words}</text>'
            x += 34 + 6.5 * len(words)


def _axis(end: float, scale: float, height: int) -> Iterator[str]:
    step = _step(end)
    for number in range(floor(end / step + 1e-9) + 1):
        x = LEFT + number * step * scale
        yield f'<line class="g" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 26}"/>'
        yield f'<text class="s" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{number * step:g} ms</text>'


def _step(end: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are some ten of them."""
    rough = end / 10
    power = 10.0 ** floor(log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def _rows(name: str, top: int) -> Iterator[str]:
    yield f'<text class="d" x="{LEFT}" y="{top + 13}">{escape(name)}</text>'
    for number, track in enumerate(TRACKS):
        y = _row(top, number)
        yield f'<rect class="r" x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{ROW}" rx="3"/>'
        yield f'<text class="s" x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{track}</text>'


def _row(top: int, number: int) -> int:
    return top + 20 + number * (ROW + GAP)


def _box(span: Span, scale: float, top: int) -> str:
    x, y, width = LEFT + span.start * scale, _row(top, TRACKS.index(span.track)), span.length * scale
    told = f"{escape(span.name)}, {span.length:.3f} ms (inference {span.inference + 1})"
    fill = COLOURS[span.kind][0]
    shade = "" if span.inference % 2 == 0 else ' opacity="0.72"'
    box = (
        f'<rect x="{x:.2f}" y="{y + 2}" width="{max(width - 0.4, 0.3):.2f}" height="{ROW - 4}" rx="1.5" fill="{fill}"'
        f"{shade}><title>{told}</title></rect>"
    )
    if width < 7 * len(span.name) + 8:
        return box
    return f'{box}<text class="l" x="{x + 5:.1f}" y="{y + 16}">{escape(span.name)}</text>'
