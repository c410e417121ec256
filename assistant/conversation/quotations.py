"""Remove quoted text (captions, posts) from a user's question before the model reads it.

"Why is H1 forged? The caption says: …" asks about H1; the caption is another person's text, which
no tool uses and which a small model would obey. It stays in the case and on the screen. Only
clauses that name the source of the words, or mark them as words, are recognised. If nothing would
be left, the text stays unchanged, and the model states that it follows the measurements.

Does not show: that the rest is the user's own. Words pasted without such a clause are read as the
user's.
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
# Up to the last quotation mark: one inside the words does not end them.
_IN_MARKS = re.compile(
    rf'{_START}[^.?!"“\n]{{0,100}}\b{_SAYS}\b[^.?!"“\n]{{0,40}}["“](?=\S+\s+\S+\s).*["”][.!?]?',
    re.IGNORECASE | re.DOTALL,
)


def strip_quotations(text: str) -> str:
    """The text without clauses that quote other people; unchanged if nothing would be left."""
    rest = _TO_THE_END.sub(" ", _IN_MARKS.sub(" ", text)).strip()
    return rest if rest != text.strip() and re.search(r"\w", rest) else text
