"""The model card: what an exported model is, for people who have not seen the run."""

from importlib import resources

import jinja2

from yt8m.export.card_facts import CardFacts, CardTexts, MemberGaps


def render_card(facts: CardFacts, texts: CardTexts) -> str:
    """The card as Markdown."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    template = environment.from_string(resources.files("yt8m.export").joinpath("model_card.j2").read_text("utf-8"))
    return template.render(
        facts=facts, texts=texts, description=facts.description, data=facts.description.data, unmeasured=MemberGaps()
    )
