"""What a person quotes beside a question (captions, posts) is not read by the model.

"Why is H1 forged? The caption says: …" asks about H1; the caption is somebody else's words, which
no tool takes and which a small model would obey. It stays in the case and on the screen. Only
clauses that say whose words they are, or that they are words, are known; when nothing else was
said, the text is left as it is, and the model says that it follows the measurements.

Does not show: that the rest is the person's own. Words pasted without such a clause are read as
the person's.
"""

import re

_SOURCE = (
    r"(?:captions?|titles?|headlines?|subtitles?|descriptions?|posts?|tweets?|comments?|notes?|"
    r"texts?|words?|watermarks?|labels?|tags?|metadata|exif|(?:file )?names?|messages?|"
    r"inscriptions?|writing|articles?|e-?mails?|letters?|signs?|files?|images?|pictures?|photos?)"
)
_SAYS = (
    r"(?:says?|said|reads?|states?|stated|claims?|claimed|contains?|tells?|told|writes?|wrote|"
    r"written|posted|published|shared|stands?|stood|goes|quotes?|quoted|announces?)"
)
_START = r"(?:\A|(?<=[.?!\n])\s{0,3})"
_TO_THE_END = re.compile(
    rf'{_START}(?=[^.?!:"“\n]*\b{_SOURCE}\b)(?=[^.?!:"“\n]*\b{_SAYS}\b)[^.?!:"“\n]{{0,100}}:.*\Z',
    re.IGNORECASE | re.DOTALL,
)
# To the last quotation mark: one inside the words does not end them.
_IN_MARKS = re.compile(
    rf'{_START}[^.?!"“\n]{{0,100}}\b{_SAYS}\b[^.?!"“\n]{{0,40}}["“](?=\S+\s+\S+\s).*["”][.!?]?',
    re.IGNORECASE | re.DOTALL,
)


def strip_quotations(text: str) -> str:
    """The text without clauses that quote somebody else; as it is when nothing would be left."""
    rest = _TO_THE_END.sub(" ", _IN_MARKS.sub(" ", text)).strip()
    return rest if rest != text.strip() and re.search(r"\w", rest) else text
