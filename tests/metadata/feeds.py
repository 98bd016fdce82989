"""Feeds as arXiv writes them."""

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">\n'
TAIL = "</feed>\n"


def entry(
    number="2105.03824", version=4, title="FNet: Mixing Tokens\n  with Fourier Transforms", more=""
):
    return f"""<entry>
  <id>http://arxiv.org/abs/{number}v{version}</id>
  <updated>2022-05-26T17:12:41Z</updated>
  <published>2021-05-09T03:32:48Z</published>
  <title>{title}</title>
  <summary>  We show that
Transformer encoders can be sped up. </summary>
  <author><name>James Lee-Thorp</name></author><author><name>Joshua Ainslie</name></author>
  <category term="cs.CL"/><category term="cs.LG"/>{more}
</entry>
"""


def feed(*entries):
    return (HEAD + "".join(entries) + TAIL).encode()


ERROR = feed(
    "<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_12</id><title>Error</title>"
    "<summary>incorrect id format for 12</summary></entry>"
)
