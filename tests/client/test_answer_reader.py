"""Answers are read the same however their bytes are cut, and what is unclear is refused."""

from __future__ import annotations

import pytest

from flagconsole.client.answer_reader import MAX_HEAD, AnswerReader, BadAnswer, Head


class Read:
    """What a reader told."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes, bool]] = []
        self._body = b""
        self._head: Head | None = None
        self.reader = AnswerReader(self._began, self._part, self._ended)

    def _began(self, head: Head) -> None:
        self._head, self._body = head, b""

    def _part(self, data: bytes) -> None:
        self._body += data

    def _ended(self) -> None:
        assert self._head is not None
        self.answers.append((self._head.status, self._body, self._head.lasts))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", (200, b"hello", True)),
    (b"HTTP/1.1 200\r\ncontent-length:0\r\nConnection: Close\r\n\r\n", (200, b"", False)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    (b"HTTP/1.0 404 No\r\nContent-Length: 1\r\n\r\nx", (404, b"x", False)),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", (200, b"x", True)),
    (CHUNKED + b"5\r\nhello\r\nA;x=1\r\n, chunked!\r\n0\r\nTrailer: x\r\n\r\n", (200, b"hello, chunked!", True)),
]


@pytest.mark.parametrize(("sent", "answer"), WHOLE)
def test_an_answer_is_the_same_in_every_cut(sent, answer):
    for size in (1, 2, 3, 7, len(sent)):
        read = Read()
        for start in range(0, len(sent), size):
            read.reader.feed(sent[start : start + size])
        assert read.answers == [answer], size
        assert not read.reader.closed()


def test_chunks_that_come_one_by_one_are_read_as_those_that_come_together():
    read = Read()
    chunks = [b"5\r\nhello\r\n", b"2;x=1\r\n, \r\n", b"3\r\n\r\n0\r\n", b"4\r\nlast\r\n"]
    for part in (CHUNKED, *chunks, b"0\r\n\r\n"):
        read.reader.feed(part)
    assert read.answers == [(200, b"hello, \r\n0last", True)]


@pytest.mark.parametrize("part", [b"4\r\nhello\r\n", b"6\r\nhello\r\n!\r\n", b"+5\r\nhello\r\n"])
def test_a_chunk_that_is_not_of_its_size_is_refused_however_it_comes(part):
    read = Read()
    read.reader.feed(CHUNKED)
    with pytest.raises(BadAnswer):
        read.reader.feed(part)


def test_answers_follow_each_other_on_one_connection():
    read = Read()
    lasting = [pair for pair in WHOLE if pair[1][2]]
    read.reader.feed(b"".join(sent for sent, _ in lasting))
    assert read.answers == [answer for _, answer in lasting]


def test_an_answer_without_length_ends_with_the_connection_and_one_with_it_is_cut_off():
    read = Read()
    read.reader.feed(b"HTTP/1.1 200 OK\r\n\r\nall ")
    read.reader.feed(b"of it")
    assert not read.reader.closed()
    assert read.answers == [(200, b"all of it", False)]
    for part in (b"HTTP/1.1 2", CHUNKED, CHUNKED + b"5\r\nhel", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"):
        read = Read()
        read.reader.feed(part)
        assert read.reader.closed()
        assert read.answers == []


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        CHUNKED + b"five\r\nhello\r\n",
        CHUNKED + b"5\r\nhello!\r\n",
        CHUNKED + b"0" * 5_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_HEAD + 10),
    ],
)
def test_what_is_unclear_is_refused(sent):
    read = Read()
    with pytest.raises(BadAnswer):
        read.reader.feed(sent)
