"""Small figures as SVG: thin axes, direct labels, no more ink than the data need.

Written by hand, not by a plotting library: the colours are the page's (light, dark, print), the text stays text at the
size of the text around it, and a figure of a thousand answers is a few dozen kB. ``evaluation/templates/report.css``
holds the strokes and colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from finetune.evaluation.resampling import Figure

_WIDTH, _HEIGHT = 340, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 14, 30, 42
_ROW = 24
_LABEL_GAP = 13.0
_MOST_DOTS = 3000

Point = tuple[float, float]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """A dot for each answer. ``x_range`` and ``y_range`` are the ends of the axes.

    ``line`` is ``"equal"`` for the diagonal, ``"zero"`` for the level of no error. ``is_log`` is for x.
    """

    title: str
    x_name: str
    y_name: str
    points: Sequence[Point]
    x_range: Range
    y_range: Range
    line: str = ""
    is_log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A line through ``points``; ``bars`` are the ends of an interval at each, empty without."""

    name: str
    points: Sequence[Point]
    bars: Sequence[Range] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Up to six lines, each with its name at its end. ``has_dots`` marks the points, as for a few epochs.

    Without ranges the axes hold what there is; ``line`` as in :class:`Scatter`.
    """

    title: str
    x_name: str
    y_name: str
    series: Sequence[Series]
    x_range: Range | None = None
    y_range: Range | None = None
    line: str = ""
    has_dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dots:
    """A row for each name: a value with its interval, beside a line at zero."""

    title: str
    x_name: str
    rows: Sequence[tuple[str, Figure]]


Plot = Scatter | Lines | Dots


def plot_svg(plot: Plot) -> Markup:
    """The figure, for the inside of a page."""
    if isinstance(plot, Scatter):
        return _scatter(plot)
    return _lines(plot) if isinstance(plot, Lines) else _dots(plot)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """From values to places on the drawing."""

    x_range: Range
    y_range: Range = (0.0, 1.0)
    is_log: bool = False
    left: float = _LEFT
    right: float = _RIGHT
    top: float = _TOP
    height: float = _HEIGHT

    def x(self, value: float) -> float:
        low, high = self.x_range
        share = math.log(value / low) / math.log(high / low) if self.is_log else (value - low) / (high - low)
        return self.left + share * (_WIDTH - self.left - self.right)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.floor - (value - low) / (high - low) * (self.floor - self.top)

    @property
    def floor(self) -> float:
        return self.height - _BOTTOM


def _scatter(plot: Scatter) -> Markup:
    frame = _Frame(x_range=plot.x_range, y_range=plot.y_range, is_log=plot.is_log)
    every = max(1, math.ceil(len(plot.points) / _MOST_DOTS))
    dots = Markup().join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.2"/>').format(frame.x(x), frame.y(y))
        for x, y in plot.points[::every]
    )
    drawn = [_axes(frame, plot.x_name, plot.y_name), Markup('<g class="cloud">{}</g>').format(dots)]
    return _drawing(plot.title, [*drawn, _line(frame, plot.line)], _HEIGHT)


def _lines(plot: Lines) -> Markup:
    points = [point for series in plot.series for point in series.points]
    ends = [end for series in plot.series for bar in series.bars for end in bar]
    is_named = len(plot.series) > 1
    frame = _Frame(
        x_range=plot.x_range or _around([x for x, _ in points]),
        y_range=plot.y_range or _around([*(y for _, y in points), *ends]),
        right=_RIGHT + (max(len(series.name) for series in plot.series) * 6.2 if is_named else 0),
    )
    drawn = [_axes(frame, plot.x_name, plot.y_name), _line(frame, plot.line)]
    drawn += [_one_line(frame, series, number, plot.has_dots) for number, series in enumerate(plot.series)]
    if is_named:
        drawn.append(_names(frame, plot.series))
    return _drawing(plot.title, drawn, _HEIGHT)


def _one_line(frame: _Frame, series: Series, number: int, has_dots: bool) -> Markup:
    bars = Markup().join(
        _stroke("bar", frame.x(x), frame.y(low), frame.x(x), frame.y(high))
        for (x, _), (low, high) in zip(series.points, series.bars, strict=False)
    )
    places = [(frame.x(x), frame.y(y)) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = Markup().join(_mark(number, x, y) for x, y in places) if has_dots else Markup()
    return Markup('<g class="series s{}">{}<polyline points="{}"/>{}</g>').format(number % 6, bars, path, dots)


def _mark(number: int, x: float, y: float) -> Markup:
    """Circle, square or triangle, so that greyscale tells the lines apart."""
    shape = number % 3
    if shape == 1:
        return Markup('<rect x="{:.1f}" y="{:.1f}" width="6" height="6"/>').format(x - 3, y - 3)
    if shape == 2:
        corners = f"{x:.1f},{y - 4:.1f} {x - 3.8:.1f},{y + 3:.1f} {x + 3.8:.1f},{y + 3:.1f}"
        return Markup('<polygon points="{}"/>').format(corners)
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y)


def _names(frame: _Frame, series: Sequence[Series]) -> Markup:
    """Each name at the end of its line, moved down where it would stand on another."""
    wanted = sorted((frame.y(each.points[-1][1]), number) for number, each in enumerate(series))
    placed: list[Markup] = []
    below = -math.inf
    for y, number in wanted:
        below = max(y + 4, below + _LABEL_GAP)
        x = frame.x(series[number].points[-1][0]) + 7
        placed.append(_text(x, below, series[number].name, f"name s{number % 6}"))
    return Markup().join(placed)


def _dots(plot: Dots) -> Markup:
    height = _ROW * (len(plot.rows) + 0.5) + _BOTTOM
    ends = [end for _, each in plot.rows for end in (each.value, each.low, each.high) if end is not None]
    left = 16 + min(150.0, max(len(name) for name, _ in plot.rows) * 6.0)
    frame = _Frame(x_range=_around([0.0, *ends]), left=left, top=0, height=height)
    drawn = [_ticks_below(frame, plot.x_name), _stroke("reference", frame.x(0), 0, frame.x(0), frame.floor)]
    for number, (name, each) in enumerate(plot.rows):
        y = _ROW * (number + 0.5)
        drawn.append(_text(left - 8, y + 4, name, "row"))
        if each.low is not None and each.high is not None:
            drawn.append(_stroke("bar", frame.x(each.low), y, frame.x(each.high), y))
        drawn.append(Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(frame.x(each.value), y))
    return _drawing(plot.title, drawn, height)


def _drawing(title: str, drawn: Iterable[Markup], height: float) -> Markup:
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        _WIDTH, height, title, Markup().join(drawn)
    )


def _axes(frame: _Frame, x_name: str, y_name: str) -> Markup:
    drawn = [
        _stroke("axis", frame.left, frame.top - 6, frame.left, frame.floor),
        _ticks_below(frame, x_name),
        _text(2, 13, y_name, "axis-name"),
    ]
    for value in _ticks(frame.y_range):
        y = frame.y(value)
        drawn += [_stroke("axis", frame.left - 4, y, frame.left, y)]
        drawn += [_text(frame.left - 7, y + 4, _number(value), "tick y")]
    return Markup().join(drawn)


def _ticks_below(frame: _Frame, name: str) -> Markup:
    right = _WIDTH - frame.right
    drawn = [
        _stroke("axis", frame.left, frame.floor, right, frame.floor),
        _text(right, frame.height - 5, name, "axis-name x"),
    ]
    for value in _log_ticks(frame.x_range) if frame.is_log else _ticks(frame.x_range):
        x = frame.x(value)
        drawn += [_stroke("axis", x, frame.floor, x, frame.floor + 4)]
        drawn += [_text(x, frame.floor + 16, _number(value), "tick x")]
    return Markup().join(drawn)


def _line(frame: _Frame, line: str) -> Markup:
    if line == "equal":
        low, high = max(frame.x_range[0], frame.y_range[0]), min(frame.x_range[1], frame.y_range[1])
        return _stroke("reference", frame.x(low), frame.y(low), frame.x(high), frame.y(high))
    if line == "zero":
        return _stroke("reference", frame.left, frame.y(0), _WIDTH - frame.right, frame.y(0))
    return Markup()


def _stroke(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, escape(text))


def _around(values: Sequence[float]) -> Range:
    """A range that holds all values, with a little air; never empty."""
    low, high = min(values), max(values)
    air = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return (low if low == 0 else low - air), high + air


def _ticks(ends: Range) -> list[float]:
    """Four to seven round numbers within the range."""
    low, high = ends
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _log_ticks(ends: Range) -> list[float]:
    low, high = ends
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    sizes = (1, 2, 5) if high / low < 200 else (1,)
    every = [size * 10.0**power for power in powers for size in sizes]
    return [value for value in every if low * 0.999 <= value <= high * 1.001]


def _number(value: float) -> str:
    """As short as it goes, with a true minus sign."""
    return f"{0.0 if abs(value) < 1e-12 else value:.6g}".replace("-", "\N{MINUS SIGN}")
