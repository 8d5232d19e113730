"""One line makes it a daemon: ``twistd -n acme-greeter``."""

from socketsuite.plugin import ServicePlugin

greeter = ServicePlugin(
    "acme-greeter",
    "greeter.site:greeter_site",
    port=8080,
    description="A greeting by Socket.IO, both ways",
)
