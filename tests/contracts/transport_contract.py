"""What every transport must do. Inherit, and say with the fixture ``transport`` which one."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from devices.errors import ConnectionLost
from devices.transports.transport import Channel, Transport
from tests.sshd import wait_until

PATIENCE_S = 120.0
MANY_BYTES = 5_000_000
BRIEF_S = 0.05

ODD_WORDS = [
    "",
    " ",
    "a b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "\\",
    "*",
    "~",
    "-n",
    "line\nbreak",
    "ü→",
    "!!",
    "#",
    "&|;<>",
]

SAY_WORDS = "import json, sys; print(json.dumps(sys.argv[1:]))"
ECHO_AND_COMPLAIN = (
    "import sys\n"
    "for line in sys.stdin: print(line.strip().upper(), flush=True)\n"
    "print('that was all', file=sys.stderr)\n"
    "sys.exit(3)\n"
)


def python(source: str, *words: str) -> list[str]:
    """A command that runs some Python."""
    return [sys.executable, "-c", source, *words]


def rest_of(channel: Channel) -> list[bytes]:
    """All lines until there are no more."""
    lines = []
    while True:
        try:
            lines.append(channel.read_line(PATIENCE_S))
        except ConnectionLost:
            return lines


class TransportContract:
    """The contract's tests."""

    @pytest.fixture
    def transport(self) -> Transport:
        raise NotImplementedError

    def test_it_says_where_it_leads(self, transport: Transport) -> None:
        assert transport.describe()

    def test_lines_go_both_ways(self, transport: Transport) -> None:
        with transport.start(["cat"]) as channel:
            for line in (b"one\n", b"\n", b"  three \xff\x00 \n"):
                channel.write(line)
                assert channel.read_line(PATIENCE_S) == line

    def test_several_lines_that_come_at_once_are_read_one_by_one(self, transport: Transport) -> None:
        with transport.start(["printf", "a\\nb\\n\\nno end"]) as channel:
            assert rest_of(channel) == [b"a\n", b"b\n", b"\n", b"no end"]

    def test_words_reach_the_command_as_they_are(self, transport: Transport) -> None:
        with transport.start(python(SAY_WORDS, *ODD_WORDS)) as channel:
            assert json.loads(channel.read_line(PATIENCE_S)) == ODD_WORDS

    def test_a_line_that_does_not_come_is_not_waited_for_longer_than_asked(self, transport: Transport) -> None:
        with transport.start(["cat"]) as channel:
            with pytest.raises(TimeoutError):
                channel.read_line(BRIEF_S)
            channel.write(b"half ")
            with pytest.raises(TimeoutError):
                channel.read_line(BRIEF_S)
            channel.write(b"and half\n")
            assert channel.read_line(PATIENCE_S) == b"half and half\n"

    def test_no_time_to_wait_is_enough_for_a_line_that_is_there(self, transport: Transport) -> None:
        with transport.start(["printf", "a\\nb\\n"]) as channel:
            channel.read_line(PATIENCE_S)
            assert channel.read_line(0) == b"b\n"

    def test_there_is_no_exit_status_while_it_runs(self, transport: Transport) -> None:
        with transport.start(["cat"]) as channel:
            assert channel.exit_status() is None

    def test_the_end_tells_status_and_last_words(self, transport: Transport) -> None:
        with transport.start(python("import sys; print(1); sys.stderr.write('no\\n  luck'); sys.exit(7)")) as channel:
            assert channel.read_line(PATIENCE_S) == b"1\n"
            with pytest.raises(ConnectionLost, match="status 7"):
                channel.read_line(PATIENCE_S)
            assert channel.exit_status() == 7
            assert "status 7" in channel.last_words()
            assert "no luck" in channel.last_words()

    def test_a_command_that_was_killed_has_a_negative_status(self, transport: Transport) -> None:
        with transport.start(python("import os; os.kill(os.getpid(), 9)")) as channel:
            assert rest_of(channel) == []
            assert channel.exit_status() == -9
            assert "SIGKILL" in channel.last_words()

    def test_a_command_that_does_not_exist_says_so_at_its_end(self, transport: Transport) -> None:
        with transport.start(["no-such-command", "-x"]) as channel:
            assert rest_of(channel) == []
            assert channel.exit_status() == 127
            assert "no-such-command" in channel.last_words()

    def test_last_words_are_the_last_ones_of_many(self, transport: Transport) -> None:
        talk = "import sys; sys.stderr.write('x' * 3_000_000 + ' the end'); sys.stderr.close()"
        with transport.start(python(talk)) as channel:
            assert rest_of(channel) == []
            assert channel.last_words().endswith("the end")
            assert len(channel.last_words()) < 1000

    def test_nothing_can_be_written_to_a_command_that_ended(self, transport: Transport) -> None:
        with transport.start(["true"]) as channel:
            assert rest_of(channel) == []
            with pytest.raises(ConnectionLost):
                channel.write(b"x" * MANY_BYTES)

    def test_what_is_written_comes_back_whole_however_much(self, transport: Transport) -> None:
        line = bytes(range(256)).replace(b"\n", b"") * (MANY_BYTES // 255) + b"\n"
        with transport.start(["cat"]) as channel:
            channel.write(line)
            assert channel.read_line(PATIENCE_S) == line

    def test_many_lines_arrive_in_their_order(self, transport: Transport) -> None:
        with transport.start(["seq", "100000"]) as channel:
            lines = [channel.read_line(PATIENCE_S) for _ in range(100_000)]
        assert lines == [b"%d\n" % (index + 1) for index in range(100_000)]

    def test_much_is_written_while_nobody_reads_the_answers(self, transport: Transport) -> None:
        with transport.start(["cat"]) as channel:
            for _ in range(50):
                channel.write(b"y" * 99_999 + b"\n")
            assert all(len(channel.read_line(PATIENCE_S)) == 100_000 for _ in range(50))

    def test_commands_run_beside_each_other(self, transport: Transport) -> None:
        with transport.start(["cat"]) as one, transport.start(["cat"]) as other:
            one.write(b"one\n")
            other.write(b"other\n")
            assert other.read_line(PATIENCE_S) == b"other\n"
            assert one.read_line(PATIENCE_S) == b"one\n"

    def test_closing_ends_the_input(self, transport: Transport, tmp_path_factory: pytest.TempPathFactory) -> None:
        mark = tmp_path_factory.mktemp("mark") / "ended"
        channel = transport.start(["sh", "-c", 'cat; : > "$1"', "sh", str(mark)])
        channel.write(b"begun\n")
        channel.read_line(PATIENCE_S)
        channel.close()
        wait_until(mark.exists, "the end of the input")

    def test_closing_twice_does_nothing(self, transport: Transport) -> None:
        channel = transport.start(["cat"])
        channel.close()
        channel.close()
        with pytest.raises(ConnectionLost):
            channel.write(b"x\n")
        with pytest.raises(ConnectionLost):
            channel.read_line(BRIEF_S)

    def test_closing_the_transport_ends_its_commands(self, transport: Transport) -> None:
        channel = transport.start(["cat"])
        transport.close()
        transport.close()
        with pytest.raises(ConnectionLost):
            channel.read_line(PATIENCE_S)
        channel.close()

    def test_after_closing_it_can_start_anew(self, transport: Transport) -> None:
        transport.start(["cat"])
        transport.close()
        with transport.start(["echo", "again"]) as channel:
            assert channel.read_line(PATIENCE_S) == b"again\n"

    def test_closing_leaves_no_thread(self, transport: Transport) -> None:
        before = threading.active_count()
        for _ in range(3):
            transport.start(["cat"]).close()
        transport.close()
        assert threading.active_count() <= before
