"""The IRC frontend over raw sockets: registration, and every command."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from socketsuite.services.chat.irc.tables import COMMANDS
from socketsuite.testing import Daemon, read_line
from tests.daemons.irc_client import Caller, caller

SERVER = "irc.example.org"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    (folder / "motd").write_text("Be kind\n\nto all\n")
    # What is kept of a room that everybody has left would be there in the next test.
    ports = ("--port", "0", "--irc-port", "0", "--history-age", "0.001")
    names = ("--server-name", SERVER, "--network-name", "Example", "--motd", "motd")
    # Without history a room is gone with the last one in it, and each test has it anew.
    history = ("--history-lines", "0")
    with Daemon(folder, "socketsuite-chat", *ports, *names, *history) as daemon:
        yield daemon


@pytest.fixture
def people(chat: Daemon) -> Iterator[tuple[Caller, Caller]]:
    """Anna, who is the operator of #tea, and Boris, who is in it."""
    with ExitStack() as stack:
        anna = stack.enter_context(caller(chat, "anna"))
        boris = stack.enter_context(caller(chat, "boris"))
        anna.ask("JOIN #tea")
        boris.ask("JOIN #tea")
        anna.expect("boris.* JOIN #tea")
        yield anna, boris


def test_who_registers_is_welcomed_with_what_the_server_can(chat: Daemon) -> None:
    one = Caller(chat)
    one.send("NICK anna", "USER an!na 0 * :Anna A")
    lines = one.until(" 376 ")
    numbers = [line.split()[1] for line in lines]
    assert numbers[:4] == ["001", "002", "003", "004"]
    assert lines[0] == (f":{SERVER} 001 anna :Welcome to the Example network, anna!~anna@127.0.0.1")
    tokens = " ".join(line for line in lines if " 005 " in line)
    for token in ("CASEMAPPING=ascii", "CHANTYPES=#", "PREFIX=(ov)@+", "NETWORK=Example"):
        assert f" {token} " in tokens
    assert [line.partition(" :")[2] for line in lines if " 372 " in line] == [
        "- Be kind",
        "- ",
        "- to all",
    ]
    assert numbers[-7:-4] == ["265", "266", "375"]
    one.close()


def test_before_registration_only_what_belongs_to_it_is_obeyed(chat: Daemon) -> None:
    one = Caller(chat)
    assert one.ask("JOIN #tea", "NICK", "NICK 1x", "USER a 0 * :", "AWAY :x", "NONSENSE", "") == [
        f":{SERVER} 451 * :You have not registered",
        f":{SERVER} 431 * :No nickname given",
        f":{SERVER} 432 * 1x :Erroneous nickname: a nick begins with a letter",
        f":{SERVER} 461 * USER :Not enough parameters",
        f":{SERVER} 451 * :You have not registered",
        f":{SERVER} 451 * :You have not registered",
    ]
    one.send("QUIT")
    assert one.line() == "ERROR :Closing link: Quit"
    assert one.line() == ""
    one.close()


def test_a_nick_in_use_is_refused_and_another_one_taken(chat: Daemon) -> None:
    with caller(chat, "carla"):
        one = Caller(chat)
        one.send("USER x 0 * :x", "NICK Carla")
        assert one.line().startswith(f":{SERVER} 433 * Carla :")
        one.send("NICK carlo")
        one.expect(" 001 carlo ")
        one.close()


def test_two_who_ask_for_a_nick_at_once_get_it_once(chat: Daemon) -> None:
    one, two = Caller(chat), Caller(chat)
    one.ask("NICK dora")
    two.ask("NICK dora")
    one.send("USER x 0 * :x")
    one.expect(" 001 dora ")
    two.send("USER x 0 * :x")
    two.expect(" 433 ")
    two.send("NICK dorb")
    two.expect(" 001 dorb ")
    one.close()
    two.close()


def test_people_by_nc_and_by_irc_are_in_one_room(chat: Daemon) -> None:
    with chat.connect(port=chat.port(frontend="lines")) as nc, caller(chat, "anna") as anna:
        lines = anna.ask("JOIN #lobby")
        assert lines[0] == ":anna!~anna@127.0.0.1 JOIN #lobby"
        names = next(line for line in lines if " 353 " in line)
        guest = re.search(r"@(guest\d+)", names)
        assert guest is not None
        assert f" 531 anna {guest[1]} :" in anna.ask(f"PRIVMSG {guest[1]} :psst")[0]
        anna.send("PRIVMSG #lobby :hello, nc", "PRIVMSG #lobby :\x01ACTION waves\x01")
        assert read_line(nc) == b"-> <anna> hello, nc\n"
        assert read_line(nc) == b"-> * anna waves\n"
        nc.sendall("grüß \x00dich\n".encode())
        assert anna.line() == f":{guest[1]}!lines@127.0.0.1 PRIVMSG #lobby :grüß ^@dich"
        nc.sendall(b"x" * 1000 + b"\n")
        parts = [anna.line().partition(" :")[2] for _ in range(3)]
        assert "".join(parts) == "x" * 1000
        nc.shutdown(socket.SHUT_WR)
        assert anna.line() == f":{guest[1]}!lines@127.0.0.1 QUIT closed"


TALK = [
    ("PRIVMSG #tea :hello there", "PRIVMSG #tea :hello there"),
    ("NOTICE #TEA :hello", "NOTICE #tea :hello"),
    ("PRIVMSG boris :in private", "PRIVMSG boris :in private"),
    ("PRIVMSG BORIS :\x01VERSION\x01", "PRIVMSG boris :\x01VERSION\x01"),
    ("NOTICE boris :\x01VERSION x\x01", "NOTICE boris :\x01VERSION x\x01"),
    ("PRIVMSG #tea,boris :\x01ACTION nods\x01", "PRIVMSG #tea :\x01ACTION nods\x01"),
    ("TOPIC #tea :Green, black", "TOPIC #tea :Green, black"),
    ("MODE #tea +v-v boris boris", "MODE #tea +v-v boris boris"),
    ("MODE #tea +kl secret 10", "MODE #tea +kl secret 10"),
    ("MODE #tea +b bad", "MODE #tea +b bad!*@*"),
    ("PART #tea :bye all", "PART #tea :bye all"),
    ("NICK annalena", "NICK annalena"),
    ("QUIT :so long", "QUIT :Quit: so long"),
    ("KICK #tea boris :too loud", "KICK #tea boris :too loud"),
    ("INVITE boris #tea2", None),
]


@pytest.mark.parametrize(("sent", "seen"), TALK, ids=[sent for sent, _ in TALK])
def test_what_one_does_another_sees(
    people: tuple[Caller, Caller], sent: str, seen: str | None
) -> None:
    anna, boris = people
    anna.send(sent)
    if seen is None:
        anna.expect(r" 403 anna #tea2 ")
        return
    assert boris.line() in (
        f":anna!~anna@127.0.0.1 {seen}",
        f":anna!~anna@127.0.0.1 {seen.replace(' :', ' ', 1)}",
    )


REPLIES = [
    ("MODE #tea", [r"324 anna #tea \+nt$", r"329 anna #tea \d+$"]),
    ("MODE #tea b", [r"368 anna #tea :End of channel ban list$"]),
    (
        "MODE #tea +bb x y",
        [r"MODE #tea \+bb x!\*@\* y!\*@\*$"],
    ),
    ("MODE #tea +k-k+k-k-k a a a a", [r"MODE #tea \+k-k\+k-k a \* a \*$"]),
    ("MODE #tea +Z", [r"472 anna Z :is unknown mode char to me$"]),
    ("MODE #tea +o", [r"696 anna #tea o \* :You must"]),
    ("MODE #tea +l x", [r"696 anna #tea l \* :a limit is a number"]),
    ("MODE #tea +o zoe", [r"401 anna zoe :No such nick"]),
    ("MODE anna", [r"221 anna \+?$"]),
    ("MODE anna +iB-w+o", [r"anna!\S+ MODE anna :?\+i\+B$"]),
    ("MODE boris +i", [r"502 anna :Can't change"]),
    ("MODE anna +Y", [r"501 anna :Unknown"]),
    ("TOPIC #tea", [r"331 anna #tea :No topic is set$"]),
    ("TOPIC #none", [r"403 anna #none :No such channel"]),
    ("NAMES #tea", [r"353 anna = #tea :@anna boris$", r"366 anna #tea :End"]),
    ("NAMES", [r"366 anna \* :End"]),
    ("WHO #tea", [r"352 anna #tea ~anna 127.0.0.1 \S+ anna H@ :0 Real anna$", r"352", "315"]),
    ("WHO boris", [r"352 anna #tea ~boris 127.0.0.1 \S+ boris H :0 Real boris$", "315 anna boris"]),
    ("WHO bor*", [r"352 .* boris H", "315"]),
    ("WHO boris %tnaf,42", [r"354 anna 42 boris H 0$", "315"]),
    (
        "WHOIS boris",
        [
            r"311 anna boris ~boris 127.0.0.1 \* :Real boris$",
            r"319 anna boris #tea$",
            rf"312 anna boris {SERVER} Example$",
            r"317 anna boris \d+ \d+ :seconds idle",
            r"318 anna boris :End",
        ],
    ),
    ("WHOIS zoe", [r"401 anna zoe", r"318 anna zoe"]),
    ("WHOWAS zoe", [r"406 anna zoe", r"369 anna zoe"]),
    ("USERHOST boris zoe anna", [r"302 anna :boris=\+~boris@127.0.0.1 anna=\+~anna@127.0.0.1$"]),
    ("ISON boris zoe anna", [r"303 anna :boris anna$"]),
    ("AWAY :at lunch", [r"306 anna :You have been"]),
    ("AWAY", [r"305 anna :You are no"]),
    ("LUSERS", ["251", "252", "253", "254", "255", "265", "266"]),
    ("VERSION", [rf"351 anna socketsuite-\S+ {SERVER} "]),
    ("TIME", [rf"391 anna {SERVER} \d+ :.* UTC$"]),
    ("ADMIN", ["256", "257"]),
    ("INFO", ["371", "371", "374"]),
    ("LINKS", [rf"364 anna {SERVER} {SERVER} :0 Example", "365"]),
    ("MOTD", ["375", "372", "372", "372", "376"]),
    ("HELP kick", [r"704 anna KICK :KICK #ROOM NICK", "705", "706"]),
    ("HELP nonsense", [r"524 anna NONSENSE"]),
    ("PING x:y", [rf"{SERVER} PONG {SERVER} x:y$"]),
    ("PONG x", []),
    ("OPER a b", [r"491 anna"]),
    ("KILL boris :x", [r"481 anna"]),
    ("WALLOPS :x", [r"481 anna"]),
    ("REHASH", [r"481 anna"]),
    ("USER a 0 * :b", [r"462 anna"]),
    ("PASS x", [r"462 anna"]),
    ("NONSENSE", [r"421 anna NONSENSE"]),
    ("PRIVMSG", [r"411 anna :No recipient given \(PRIVMSG\)"]),
    ("PRIVMSG #tea", [r"412 anna"]),
    ("PRIVMSG zoe :x", [r"401 anna zoe"]),
    ("PRIVMSG #none :x", [r"403 anna #none"]),
    ("NOTICE #none :x", []),
    ("PRIVMSG a,b,c,d,e :x", [r"407 anna e", "401", "401", "401", "401"]),
    ("PRIVMSG boris :\x01DCC SEND x 1 2\x01", [r"531 anna boris :DCC does not pass"]),
    ("TAGMSG boris", [r"421 anna TAGMSG"]),
    ("JOIN #tea", []),
    ("JOIN tea", [r"403 anna #?tea"]),
    ("JOIN #a\x02b", [r"403 anna #a"]),
    ("PART #none", [r"403 anna #none"]),
    ("JOIN tea", [r"403 anna tea :No such channel: a room's name begins with #$"]),
    ("JOIN #" + "x" * 65, [r"403 anna #x{65} :No such channel: "]),
    ("KICK #tea zoe", [r"401 anna zoe"]),
    ("INVITE boris #tea", [r"443 anna boris #tea"]),
    ("NICK boris", [r"433 anna boris"]),
    ("NICK", [r"431 anna"]),
    ("LIST #tea", ["321", r"322 anna #tea 2 :", "323"]),
    ("LIST >1", ["321", r"322 anna #tea 2 :", "323"]),
    ("LIST <1,#*", ["321", r"322 anna #lobby 0 :", "323"]),
    ("LIST !*,C<5", ["321", "323"]),
    ("LIST T<5", ["321", "323"]),
    ("MONITOR + boris,zoe", [r"730 anna :?boris!~boris@127.0.0.1$", r"731 anna :?zoe$"]),
    ("MONITOR L", [r"733 anna"]),
    ("CHATHISTORY NONE", [r"NOTICE anna :CHATHISTORY: There is no such"]),
    ("CHATHISTORY LATEST #none * 5", [r"NOTICE anna :CHATHISTORY: Messages could"]),
    ("MARKREAD", [r"NOTICE anna :MARKREAD: Missing"]),
    ("BATCH +1 draft/multiline #tea", [r"421 anna BATCH :"]),
    ("REGISTER * * a-secret-word", [r"421 anna REGISTER :"]),
    ("VERIFY anna 1", [r"421 anna VERIFY :"]),
    ("RENAME #lobby #tea", [r"442 anna #lobby :"]),
    ("RENAME #tea tea", [r"NOTICE anna :RENAME: a room's name begins with #$"]),
    ("REDACT #tea x", [r"NOTICE anna :REDACT: there is no such message"]),
    ("CAP LIST", [r"CAP anna LIST "]),
    ("CAP NONSENSE", [r"410 anna NONSENSE"]),
    ("AUTHENTICATE PLAIN", [r"904 anna"]),
    ("REGISTER * * secret", [r"421 anna REGISTER"]),
    ("VERIFY anna 123", [r"421 anna VERIFY"]),
    ("RENAME #none #other :x", [r"403 anna #none"]),
    ("BATCH +1 draft/multiline #tea", [r"421 anna BATCH"]),
    ("SETNAME :" + "x" * 130, [r"NOTICE anna :SETNAME: That is no real name"]),
]


@pytest.mark.parametrize(("sent", "replies"), REPLIES, ids=[sent[:40] for sent, _ in REPLIES])
def test_a_command_is_answered(
    people: tuple[Caller, Caller], sent: str, replies: list[str]
) -> None:
    anna, _ = people
    lines = anna.ask(sent)
    assert len(lines) == len(replies), lines
    for line, pattern in zip(lines, replies, strict=True):
        pattern = rf"^:{SERVER} {pattern}" if pattern[:3].isdigit() else pattern
        assert re.search(pattern, line), line


def test_every_command_of_the_table_is_tried_here() -> None:
    tried = {sent.split()[0] for sent, _ in [*TALK, *REPLIES]}
    assert set(COMMANDS) - tried == set()


def test_help_shows_every_command(people: tuple[Caller, Caller]) -> None:
    shown = " ".join(line.partition(" :")[2] for line in people[0].ask("HELP"))
    assert set(COMMANDS) <= set(shown.split())


def test_a_room_s_rules_are_for_those_of_irc_as_for_all(
    chat: Daemon, people: tuple[Caller, Caller]
) -> None:
    anna, boris = people
    assert [line.split()[1] for line in boris.ask("TOPIC #tea :x", "KICK #tea anna")] == [
        "482",
        "482",
    ]
    anna.ask("MODE #tea +m")
    boris.expect("MODE #tea :?[+]m")
    assert " 404 boris #tea " in boris.ask("PRIVMSG #tea :x")[0]
    with caller(chat, "carla") as carla:
        for mode, number in (
            ("+l 2", "471"),
            ("+k key", "475"),
            ("+i", "473"),
            ("+b carla", "474"),
        ):
            anna.ask(f"MODE #tea {mode}")
            assert carla.ask("JOIN #tea")[0].split()[1] == number
        assert carla.ask("JOIN #tea key")[0].split()[1] == "474"
        anna.ask("INVITE carla #tea")
        assert carla.line().endswith(" INVITE carla #tea")
        assert carla.ask("JOIN #tea")[0].endswith(" JOIN #tea")


def test_only_those_with_a_status_hear_what_is_said_to_it(
    chat: Daemon, people: tuple[Caller, Caller]
) -> None:
    anna, boris = people
    with caller(chat, "carla") as carla:
        carla.ask("JOIN #tea")
        anna.ask("MODE #tea +v carla")
        carla.until("MODE #tea")
        boris.send("PRIVMSG @#tea :for operators", "PRIVMSG +#tea :for voices")
        anna.expect("PRIVMSG @#tea :for operators$")
        anna.expect("PRIVMSG [+]#tea :for voices$")
        assert carla.line().endswith("PRIVMSG +#tea :for voices")


def test_long_lists_come_in_lines_of_512_bytes(chat: Daemon) -> None:
    with ExitStack() as stack:
        nicks = [f"person{'x' * 20}{n}" for n in range(30)]
        crowd = [stack.enter_context(caller(chat, nick)) for nick in nicks]
        for one in crowd:
            one.ask("JOIN #crowd")
        lines = [line for line in crowd[0].ask("NAMES #crowd") if " 353 " in line]
        names = " ".join(line.partition(" :")[2] for line in lines).split()
        assert len(lines) > 1
        assert [name.lstrip("@") for name in names] == nicks
        crowd[0].ask(*(f"MODE #crowd +b {'y' * 90}{n}" for n in range(20)))
        banned = [line for line in crowd[0].ask("MODE #crowd b") if " 367 " in line]
        assert len(banned) == 20
        assert len([line for line in crowd[0].ask("WHO #crowd") if " 352 " in line]) == 30


def test_who_has_gone_is_known_for_a_while(chat: Daemon, people: tuple[Caller, Caller]) -> None:
    anna, _ = people
    with caller(chat, "carla") as carla:
        anna.ask("MONITOR + carla")
        carla.ask("NICK carlotta")
        assert re.search("731 anna :?carla$", anna.line())
        carla.send("QUIT")
        carla.until("ERROR")
    assert " 314 anna carla ~carla 127.0.0.1 * :Real carla" in anna.ask("WHOWAS carla 1")[0]
    assert " 314 anna carlotta " in anna.ask("WHOWAS carlotta")[0]


def test_somebody_away_says_so(people: tuple[Caller, Caller]) -> None:
    anna, boris = people
    boris.ask("AWAY :at lunch")
    assert anna.ask("PRIVMSG boris :hi")[0].endswith(" 301 anna boris :at lunch")
    assert any(" 301 anna boris " in line for line in anna.ask("WHOIS boris"))
    assert " boris G " in anna.ask("WHO boris")[0]


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"PRIVMSG #tea :\xff\n", "FAIL PRIVMSG INVALID_UTF8 :Messages have to be UTF-8"),
        (b"PRIVMSG #tea :" + b"x" * 600 + b"\n", "417 anna :Input line was too long"),
        (b"PRIVMSG #tea :a\0b\n", "400 anna * :a line has no NUL, CR or LF"),
    ],
)
def test_a_line_that_is_none_is_refused_and_the_next_one_obeyed(
    people: tuple[Caller, Caller], raw: bytes, answer: str
) -> None:
    anna, _ = people
    anna.socket.sendall(raw)
    assert anna.ask() == [f":{SERVER} {answer}"]


def test_a_line_without_end_costs_the_connection(people: tuple[Caller, Caller]) -> None:
    anna, boris = people
    anna.socket.sendall(b"x" * 10000)
    assert anna.until("ERROR")[-1] == "ERROR :Closing link: line too long"
    assert boris.line() == ":anna!~anna@127.0.0.1 QUIT :line too long"


def test_who_is_invisible_is_seen_in_a_room_by_those_inside_alone(
    chat: Daemon, people: tuple[Caller, Caller]
) -> None:
    anna, boris = people
    with caller(chat, "carla") as carla:
        assert any(" 319 carla boris #tea" in line for line in carla.ask("WHOIS boris"))
        boris.ask("MODE boris +i")
        assert not any(" 319 " in line for line in carla.ask("WHOIS boris"))
        assert " 352 carla * ~boris " in carla.ask("WHO boris")[0]
        for one, nick in ((anna, "anna"), (boris, "boris")):
            assert any(f" 319 {nick} boris #tea" in line for line in one.ask("WHOIS boris"))
