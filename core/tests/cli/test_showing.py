"""How a page looks in a pipe and on a terminal: the same words, and nobody's text reaches a terminal unescaped."""

import io

import pytest

from linkwright.cli import colours
from linkwright.cli.blocks import Block, Facts, Lines, Table, Title, cell
from linkwright.cli.showing import one_line, plain, write

PAGE: list[Block] = [
    Facts([("name", "web"), ("ports asked for", ["80/tcp", "53/udp"])]),
    Title("Endpoints"),
    Table(("endpoint", "state"), [("e1", "joined"), ("e2", None)]),
    Title("Pools"),
    Table(("pool",), [], nothing="no pools"),
    Lines(["ip link add lwb1 type bridge", "# nothing else"]),
]


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_in_a_pipe_it_is_plain_and_aligned() -> None:
    """Columns begin under their headings, and no line ends in blanks."""
    stream = io.StringIO()

    write(PAGE, stream)

    expected = """\
name             web
ports asked for  80/tcp, 53/udp

Endpoints:
ENDPOINT  STATE
e1        joined
e2        -

Pools:
no pools
ip link add lwb1 type bridge
# nothing else
"""
    assert expected == stream.getvalue()


def test_on_a_terminal_it_has_colours_and_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is drawn, the words are there in the same order."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()

    write(PAGE, stream)

    assert "\x1b[32mjoined" in stream.getvalue()
    bare = io.StringIO()
    colours.write(PAGE, bare, width=100)
    words = [word for word in bare.getvalue().split() if not set(word) <= set("─ ")]
    assert " ".join(plain(PAGE)).split() == words


def test_colours_are_left_out_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR (no-color.org) is obeyed."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()

    write(PAGE, stream)

    assert "\x1b[32m" not in stream.getvalue()


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "[bold red]web[/]", "\u202eweb", "a|b"])
def test_s_03_a_name_is_only_text(name: str) -> None:
    """Escape sequences, line ends and markup in the name of a container are shown and not obeyed."""
    page: list[Block] = [Table(("name",), [(name,)]), Facts([("name", name)]), Lines([name]), Title(name)]
    terminal = io.StringIO()
    colours.write(page, terminal, width=200)

    for text in ("\n".join(plain(page)), terminal.getvalue()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert text.count(cell(name)) == 4


def test_a_command_is_never_cut_on_a_narrow_terminal() -> None:
    """It is there to be copied."""
    command = "ip link add lwb1 " + "x" * 300
    stream = io.StringIO()

    colours.write([Lines([command])], stream, width=40)

    assert f"{command}\n" == stream.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), (0, "0"), (False, "no"), (True, "yes"), ([], "-"), ({}, "-"), ({"a": 1}, "a=1")],
)
def test_a_cell(value: object, text: str) -> None:
    """Nothing is a dash, so that columns stay columns for awk; nought is not nothing."""
    assert text == cell(value)


def test_commands_in_one_cell_are_what_a_shell_would_take() -> None:
    """Joined by semicolons."""
    assert one_line("ip link add a\nip link set a up") == "ip link add a; ip link set a up"
