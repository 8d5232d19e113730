"""One service with two frontends: ``twistd -n acme-noticeboard --web-port 8080``."""

from socketsuite.plugin import Frontend, ServicePlugin

noticeboard = ServicePlugin(
    "acme-noticeboard",
    "noticeboard.board:Board",
    description="Notices, pinned by line and read in a browser",
    frontends=[
        Frontend("lines", "noticeboard.lines:LinesFactory", port=9200),
        Frontend("web", "noticeboard.web:BoardSite", port=8080, tls_port=8443),
    ],
)
