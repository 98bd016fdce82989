"""An archive that speaks OAI-PMH as arXiv does: sets, days, tokens that may expire, deleted records."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.net.server import Said


@dataclass
class Record:
    number: str
    stamp: str = "2024-03-01"
    created: str = "2024-03-01"
    title: str = ""
    categories: str = "cs.LG stat.ML"
    deleted: bool = False
    more: str = ""

    def xml(self):
        status = ' status="deleted"' if self.deleted else ""
        head = f"<header{status}><identifier>oai:arXiv.org:{self.number}</identifier><datestamp>{self.stamp}</datestamp><setSpec>cs</setSpec></header>"
        if self.deleted:
            return f"<record>{head}</record>"
        return f"""<record>{head}<metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/">
 <id>{self.number}</id><created>{self.created}</created>
 <authors><author><keyname>Choromański</keyname><forenames>Krzysztof</forenames></author>
 <author><keyname>King</keyname><forenames>Martin Luther</forenames><suffix>Jr</suffix></author></authors>
 <title>{self.title or f"Paper {self.number}"}</title><categories>{self.categories}</categories>{self.more}
 <abstract>  Random features
 estimate attention. </abstract></arXiv></metadata></record>"""


def oai(inside, day="2024-06-01"):
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{day}T01:02:03Z</responseDate><request>x</request>{inside}</OAI-PMH>"
    ).encode()


def error(code, message="no"):
    return Said(oai(f'<error code="{code}">{message}</error>'))


def records(count, start=0):
    return [Record(f"2403.{number:05d}") for number in range(start + 1, start + count + 1)]


class Archive:
    """Answers `ListRecords` page by page. Set it as a server's `answer`."""

    def __init__(self, *some, size=2, day="2024-06-01", sets=("cs", "cs:cs:LG", "cs:cs:AI")):
        self.records = list(some)
        self.size = size
        self.day = day
        self.sets = sets
        self.expired = False  # whether tokens given out so far are refused
        self.questions = []

    def __call__(self, asked):
        question = {k: v[0] for k, v in parse_qs(urlsplit(asked.path).query).items()}
        self.questions.append(question)
        if question["verb"] == "ListSets":
            sets = "".join(f"<set><setSpec>{name}</setSpec></set>" for name in self.sets)
            return Said(oai(f"<ListSets>{sets}</ListSets>"))
        if token := question.get("resumptionToken"):
            if self.expired or "|" not in token:
                self.expired = False
                return error("badResumptionToken", "expired")
            start, since, until = token.split("|")
        else:
            assert question["metadataPrefix"] == "arXiv"
            if question["set"] not in self.sets:
                return error("badArgument", "no such set")
            start, since, until = 0, question.get("from", ""), question.get("until", "9")
        start = int(start)
        found = [one for one in self.records if since <= one.stamp <= until]
        if not found:
            return error("noRecordsMatch")
        page = "".join(one.xml() for one in found[start : start + self.size])
        end = start + self.size
        token = f"{end}|{since}|{until}" if end < len(found) else ""
        token = f'<resumptionToken cursor="{start}" completeListSize="{len(found)}">{token}</resumptionToken>'
        return Said(oai(f"<ListRecords>{page}{token}</ListRecords>", self.day))
