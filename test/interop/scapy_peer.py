"""scapy, unpatched: an endpoint mapper that represents stubs in NDR64 and refuses NDR 2.0. Prints its port; it maps IObjectExporter to 49999."""

import socket

import scapy.layers.msrpce.all  # noqa: F401  the interfaces
from scapy.layers.dcerpc import DCERPC_Transport, find_dcerpc_interface
from scapy.layers.msrpce.rpcserver import DCERPC_Server

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
port = listener.getsockname()[1]
print(port, flush=True)
connection, _ = listener.accept()
DCERPC_Server(
    DCERPC_Transport.NCACN_IP_TCP,
    ndr64=True,
    verb=False,
    local_ip="127.0.0.1",
    port=port,
    portmap={find_dcerpc_interface("IObjectExporter"): 49999},
).loop(connection)
