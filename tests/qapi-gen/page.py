"""page.py PAGE: is it well-formed HTML, whose every link leads to something in it, once?"""
import html.parser, sys


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag != "meta":
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "href" in attributes:
            self.links.add(attributes["href"])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> ends <{self.open[-1:]}> at {self.getpos()}"
        self.open.pop()


page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
assert not page.open, page.open
assert len(page.ids) == len(set(page.ids)), [i for i in page.ids if page.ids.count(i) > 1]
assert all(link[0] == "#" and link[1:] in page.ids for link in page.links), page.links - {"#" + i for i in page.ids}
assert {"CrateInfo", "add-crate", "CRATE_FELL", "Shape", "Colour"} <= set(page.ids)
