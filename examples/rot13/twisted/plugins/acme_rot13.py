"""One line puts the factory on the air: ``twistd -n acme-rot13``."""

from socketsuite.plugin import ServicePlugin

rot13 = ServicePlugin(
    "acme-rot13", "acme.rot13:Rot13Factory", port=9100, description="ROT13, line by line"
)
