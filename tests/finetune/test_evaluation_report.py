"""The page: complete, self-contained, and everything that people wrote is text in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from finetune.evaluation.plots import Dots, Lines, Plot, Scatter, Series, plot_svg
from finetune.evaluation.report import (
    LONG,
    Cell,
    Finding,
    LongText,
    Noted,
    Plots,
    Report,
    Sample,
    Samples,
    Section,
    Table,
    Version,
    report_html,
)
from finetune.evaluation.resampling import Figure

ATTACK = '<script>alert(1)</script><img src=x onerror="y()">'

SCATTER = Scatter(
    title="Scatter",
    x_name="true",
    y_name="given",
    points=[(0.0, 0.1), (1.0, 0.9)],
    x_range=(0.0, 1.0),
    y_range=(0.0, 1.0),
    line="equal",
)
LINES = Lines(
    title="Loss",
    x_name="epoch",
    y_name="loss",
    series=[
        Series(name="small", points=[(1, 0.9), (2, 0.5)], bars=[(0.8, 1.0), (0.4, 0.6)]),
        Series(name="large", points=[(1, 0.7), (2, 0.5)]),
    ],
    has_dots=True,
)
DOTS = Dots(
    title="Bias", x_name="bias", rows=[("low", Figure(value=0.1, low=-0.1, high=0.3)), ("one", Figure(value=0.2))]
)


def page(*blocks: Table | Plots | Finding | Samples, title: str = "A report") -> str:
    section = Section(title="Part", text="What it is about.", blocks=blocks)
    return report_html(Report(title=title, lead="It went well.", facts=[("Model", "m")], sections=[section]))


def table_of(*cells: Cell, shown: int = 1000) -> Table:
    return Table(columns=["Name"], rows=[[cell] for cell in cells], shown=shown)


class Tags(HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "line", "circle", "rect", "polyline", "polygon"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(plot: Plot) -> ElementTree.Element:
    return ElementTree.fromstring(str(plot_svg(plot)))


def texts(svg: ElementTree.Element, kind: str = "") -> list[str]:
    return [each.text or "" for each in svg.iter("text") if kind in (each.get("class") or "")]


# the page


def test_every_tag_is_closed_and_every_part_is_there() -> None:
    seen = Tags(page(table_of("a"), Plots(plots=[(SCATTER, "dots")]), Finding(is_good=True, text="fine")))
    assert seen.open == []
    for told in ("A report", "It went well.", "Model", "Part", "What it is about.", "dots", "fine"):
        assert told in seen.text


def test_the_page_needs_nothing_else() -> None:
    html = page(table_of("a"), Plots(plots=[(SCATTER, ""), (LINES, ""), (DOTS, "")]))
    seen = Tags(html)
    assert not {tag for tag, _ in seen.tags} & {"script", "link", "img", "iframe", "object", "base"}
    assert not any(name in {"src", "href", "style"} or name.startswith("on") for _, own in seen.tags for name in own)
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html


def test_dark_screens_and_paper_have_their_own_rules() -> None:
    html = page()
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


@pytest.mark.parametrize(
    "block",
    [
        table_of(ATTACK),
        table_of(Noted(text=ATTACK, note=ATTACK)),
        table_of(LongText(text=ATTACK, lead=ATTACK)),
        table_of(LongText(text="x" * LONG + ATTACK)),
        Table(columns=[ATTACK], rows=[["a"]], caption=ATTACK),
        Finding(is_good=False, text=ATTACK, reasons=[ATTACK]),
        Plots(plots=[(Dots(title=ATTACK, x_name=ATTACK, rows=[(ATTACK, Figure(value=1.0))]), ATTACK)]),
        Plots(plots=[(Lines(title=ATTACK, x_name=ATTACK, y_name=ATTACK, series=[
            Series(name=ATTACK, points=[(0, 1)]), Series(name="b", points=[(0, 1)])]), "")]),
        Samples(samples=[Sample(question=ATTACK, answer=LongText(text=ATTACK), versions=[
            Version(name=ATTACK, text=ATTACK, problems=[ATTACK])])]),
    ],
)  # fmt: skip
def test_what_people_wrote_is_text(block: Table | Plots | Finding | Samples) -> None:
    seen = Tags(page(block))
    assert not {"script", "img"} & {tag for tag, _ in seen.tags}
    assert ATTACK in seen.text or any(ATTACK in (own.get("aria-label") or "") for _, own in seen.tags)


def test_title_and_facts_are_text_too() -> None:
    seen = Tags(report_html(Report(title=ATTACK, lead=ATTACK, facts=[(ATTACK, ATTACK)], sections=[])))
    assert not {"script", "img"} & {tag for tag, _ in seen.tags}


def test_a_long_text_is_cut_and_the_rest_is_folded() -> None:
    html = page(table_of(LongText(text="a" * LONG + "b" * 100)))
    assert f'<summary><span class="said">{"a" * LONG}</span></summary>' in html
    assert "b" * 100 in html
    assert "<details" not in page(table_of(LongText(text="a" * LONG)))


def test_rows_beyond_those_shown_are_folded() -> None:
    html = page(table_of("first", "second", "third", shown=1))
    assert "<summary>2 more</summary>" in html
    assert html.index("first") < html.index("<details") < html.index("second")


def test_numbers_come_with_their_interval_and_a_true_minus() -> None:
    seen = Tags(page(table_of(Figure(value=-0.0312, low=-0.05, high=0.01), Figure(value=0.5), 1234)))
    assert "−0.031" in seen.text
    assert "−0.050 to 0.010" in seen.text
    assert "1,234" in seen.text
    assert seen.text.count(" to ") == 1


def test_a_finding_says_whether_it_is_good() -> None:
    assert '<div class="finding bad">' in page(Finding(is_good=False, text="no", reasons=["because"]))
    assert '<div class="finding good">' in page(Finding(is_good=True, text="yes"))


def test_samples_stand_side_by_side_with_their_problems() -> None:
    versions = [
        Version(name="template", text="Well done."),
        Version(name="model", text="10/10", problems=["score: 10"]),
    ]
    seen = Tags(page(Samples(samples=[Sample(question="Why?", answer=LongText(text="so"), versions=versions)])))
    for told in ("Why?", "so", "template", "Well done.", "model", "10/10", "score: 10"):
        assert told in seen.text


# figures


@pytest.mark.parametrize("plot", [SCATTER, LINES, DOTS])
def test_a_figure_is_named_for_readers_who_do_not_see_it(plot: Plot) -> None:
    svg = drawn(plot)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == plot.title


@pytest.mark.parametrize("plot", [SCATTER, LINES, DOTS])
def test_nothing_is_drawn_outside_the_figure(plot: Plot) -> None:
    svg = drawn(plot)
    _, _, width, height = map(float, (svg.get("viewBox") or "").split())
    for each in svg.iter():
        for name in ("cx", "x1", "x2", "x"):
            assert 0 <= float(each.get(name, "0")) <= width
        for name in ("cy", "y1", "y2", "y"):
            assert 0 <= float(each.get(name, "0")) <= height


def test_dots_stand_where_their_values_are() -> None:
    low, high = [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in drawn(SCATTER).iter("circle")]
    assert low[0] < high[0]
    assert low[1] > high[1]


def test_axes_have_round_numbers() -> None:
    assert texts(drawn(SCATTER), "tick x") == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    wide = Scatter(title="", x_name="", y_name="", points=[], x_range=(8.0, 3000.0), y_range=(-1.0, 1.0), is_log=True)
    assert texts(drawn(wide), "tick x") == ["10", "100", "1000"]
    assert texts(drawn(wide), "tick y") == ["−1", "−0.5", "0", "0.5", "1"]


def test_thousands_of_answers_are_thinned_evenly() -> None:
    many = [(number / 9000, number / 9000) for number in range(9000)]
    cloud = Scatter(title="", x_name="", y_name="", points=many, x_range=(0, 1), y_range=(0, 1))
    places = [float(each.get("cx", "")) for each in drawn(cloud).iter("circle")]
    assert len(places) == 3000
    assert max(places) > 320


def test_lines_carry_their_names_at_their_ends_and_names_do_not_overlap() -> None:
    svg = drawn(LINES)
    assert texts(svg, "name s") == ["small", "large"] or texts(svg, "name s") == ["large", "small"]
    first, second = [
        float(each.get("y", "")) for each in svg.iter("text") if (each.get("class") or "").startswith("name")
    ]
    assert abs(first - second) >= 12


def test_lines_differ_in_shape_and_not_in_colour_only() -> None:
    three = [Series(name=str(number), points=[(1, number), (2, number)]) for number in range(3)]
    svg = drawn(Lines(title="", x_name="", y_name="", series=three, has_dots=True))
    shapes = [{each.tag for each in group} - {"polyline"} for group in svg.iter("g")]
    assert shapes == [{"circle"}, {"rect"}, {"polygon"}]


def test_a_single_line_needs_no_name() -> None:
    svg = drawn(Lines(title="", x_name="", y_name="", series=[Series(name="only", points=[(0, 1), (1, 2)])]))
    assert "only" not in texts(svg)


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0])
def test_values_that_are_all_the_same_have_an_axis_too(value: float) -> None:
    svg = drawn(Lines(title="", x_name="", y_name="", series=[Series(name="", points=[(1, value), (2, value)])]))
    assert texts(svg, "tick y")
    assert "nan" not in str(ElementTree.tostring(svg))


def test_a_row_without_an_interval_is_a_dot_only() -> None:
    svg = drawn(DOTS)
    assert len(list(svg.iter("circle"))) == 2
    assert len([each for each in svg.iter("line") if each.get("class") == "bar"]) == 1
    assert re.search("low.*one", "".join(texts(svg)))
