"""A stranger's web service: WebSockets that echo, and tell all; its source."""

SERVICE = """
from twisted.web.resource import Resource

from socketsuite.web.site import BoundedSite
from socketsuite.web.websocket import WebSocketOptions, WebSocketResource
from socketsuite.wire.websocket import encode_text

OPEN = set()


class Echo:
    def connection_made(self, connection):
        self.connection = connection
        OPEN.add(connection)

    def text_received(self, text):
        if text == "fail":
            raise RuntimeError("on purpose")
        elif text == "who":
            self.connection.send_text(self.connection.client)
        elif text.startswith("all "):
            frame = encode_text(text[4:].encode())
            for each in OPEN:
                each.send_frame(frame)
        else:
            self.connection.send_text(text)

    def binary_received(self, data):
        self.connection.send_binary(data)

    def connection_closed(self, code, reason):
        OPEN.discard(self.connection)
        print(f"closed code={int(code)} reason={reason!r}", flush=True)


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"hello"


def factory(reactor):
    root = Resource()
    options = WebSocketOptions(ping_interval=0.2, ping_timeout=30)
    root.putChild(b"ws", WebSocketResource(lambda request, name: Echo(), options))
    quiet = WebSocketOptions(ping_interval=0)
    root.putChild(b"quiet", WebSocketResource(lambda request, name: Echo(), quiet))
    root.putChild(b"hello", Hello())
    return BoundedSite(root, reactor=reactor)
"""
