"""Sections to one self-contained HTML file: no script, no font, no address of another host. The same facts give the same bytes."""

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from trader_pipeline import formats
from trader_pipeline.reports.facts import Facts
from trader_pipeline.reports.section import Section
from trader_pipeline.reports.source_line import source_line


def render(facts: Facts, sections: Sequence[Section]) -> str:
    """Return the report. Without predictions only the sections that always stand are in it."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(new_york=formats.new_york, utc=formats.utc, svg=Markup, prose=_prose)
    chosen = [section for section in sections if facts.forecasts or section.always]
    return environment.get_template("report.html").render(
        facts=facts,
        sections=[(section, section.build(facts)) for section in chosen],
        source_line=lambda tables: source_line(facts, tables),
    )


def _prose(text: str) -> Markup:
    """Return escaped text in which no date breaks at a line's end."""
    return Markup(re.sub(r"(\d{4})-(\d\d)-(\d\d)", "\\1\N{NON-BREAKING HYPHEN}\\2\N{NON-BREAKING HYPHEN}\\3", str(escape(text))))  # noqa: S704 - escaped just before
