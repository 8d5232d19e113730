"""The suite's twistd commands, one line each; this file imports no service and no reactor."""

from socketsuite.plugin import Frontend, ServicePlugin, SuitePlugin

_SERVICES = "socketsuite.services"
# Whoever has sent all, and closed its half, waits for nothing but our own FIN.
_NO_ANSWER = {"half-close-timeout": 0}

accumulator = ServicePlugin(
    "socketsuite-accumulator",
    f"{_SERVICES}.accumulator:AccumulatorFactory",
    port=40000,
    description="One sum of everybody's int32 integers, pushed to each client",
    defaults=_NO_ANSWER,  # what is pushed goes on for ever
)
chargen = ServicePlugin(
    "socketsuite-chargen",
    f"{_SERVICES}.small.chargen:ChargenFactory",
    port=19,
    description="An endless stream of characters (RFC 864), TCP and UDP",
)
chat = ServicePlugin(
    "socketsuite-chat",
    f"{_SERVICES}.chat.chat:Chat",
    description="Chat: what one says reaches all the others in the room",
    frontends=[
        Frontend("lines", f"{_SERVICES}.chat.lines:LineChatFactory", port=9000),
        Frontend("irc", f"{_SERVICES}.chat.irc.factory:IRCFactory", port=6667, tls_port=6697),
        Frontend("web", f"{_SERVICES}.chat.web.factory:WebFactory", port=8080, http=True),
    ],
    # A broadcast, unlike an answer, has no end at which a slow reader has read all of it.
    defaults={"send-queue": "4M"},
)
daytime = ServicePlugin(
    "socketsuite-daytime",
    f"{_SERVICES}.small.daytime:DaytimeFactory",
    port=13,
    description="Date and time for people (RFC 867), TCP and UDP",
)
discard = ServicePlugin(
    "socketsuite-discard",
    f"{_SERVICES}.small.discard:DiscardFactory",
    port=9,
    description="Reads everything, answers nothing (RFC 863), TCP and UDP",
    defaults=_NO_ANSWER,
)
echo = ServicePlugin(
    "socketsuite-echo",
    f"{_SERVICES}.echo:EchoFactory",
    port=7,
    description="Every byte comes back (RFC 862), TCP and UDP",
)
filesink = ServicePlugin(
    "socketsuite-filesink",
    f"{_SERVICES}.filesink.sink:FileSink",
    description="Keeps what every client sends in files, and acknowledges what is on disk",
    frontends=[
        Frontend("raw", f"{_SERVICES}.filesink.raw:RawFactory", port=40001),
        Frontend("ack", f"{_SERVICES}.filesink.ack:AckFactory", port=40002),
    ],
)
qotd = ServicePlugin(
    "socketsuite-qotd",
    f"{_SERVICES}.small.qotd:QotdFactory",
    port=17,
    description="A quote of the day (RFC 865), TCP and UDP",
)
time = ServicePlugin(
    "socketsuite-time",
    f"{_SERVICES}.small.time:TimeFactory",
    port=37,
    description="Seconds since 1900 for machines (RFC 868), TCP and UDP",
)
watch = ServicePlugin(
    "socketsuite-watch",
    f"{_SERVICES}.watch:WatchFactory",
    port=60300,
    description="Tells every subscriber when a file changes",
)
suite = SuitePlugin(
    "socketsuite",
    description="Several services in one process, from one TOML file",
)
