"""HTML pages, parsed for tests."""

from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """A parsed page: its elements, its words, and the exact numbers of its `data` elements."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.numbers, self.words, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "data":
            self.numbers.append([float(dict(attrs)["value"]), ""])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] == "data":
            self.numbers[-1][1] += data
        if self.open and self.open[-1] not in {"style", "title", "desc"}:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join("".join(self.words).split())


def assert_self_contained(text):
    """Check that a page loads nothing and runs no code."""
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "a", "form"}
        assert not [key for key in attributes if key in {"src", "srcset", "action", "ping"} or key.startswith("on")]
        assert all(value.startswith("#") for key, value in attributes.items() if key.endswith("href"))
    assert "://" not in text
    assert "@import" not in text
