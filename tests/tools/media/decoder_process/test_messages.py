"""Messages between the decoder process and its parent: any is read back, and nothing else is."""

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.media.decoder_process.messages import Closed, receive, send

pytestmark = pytest.mark.fast

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda it: st.lists(it, max_size=3)
)


@given(header=st.dictionaries(st.text(), JSON, max_size=4), body=st.binary(max_size=300))
@settings(deadline=None)  # machines may be busy
def test_what_is_sent_is_received(header: dict[str, object], body: bytes) -> None:
    """Headers of any text, lone surrogates of file names among them, and any bytes."""
    pipe = io.BytesIO()
    send(pipe, {**header, "path": "\udcff"}, body)
    pipe.seek(0)
    assert receive(pipe) == ({**header, "path": "\udcff"}, body)


@given(st.binary(max_size=200))
@settings(deadline=None)  # machines may be busy
def test_what_is_no_message_ends_the_conversation(data: bytes) -> None:
    """Other bytes, and what is cut off, are a closed pipe, never another error."""
    whole = io.BytesIO()
    send(whole, {"answer": 1}, data)
    sent = whole.getvalue()
    for wrong in (data[:40], sent[:-1], struct.pack(">II", 2, 0) + data[:2].ljust(2)):
        try:
            receive(io.BytesIO(wrong))
        except Closed:
            continue
        assert len(wrong) >= 8 and wrong[8:9] == b"{"
