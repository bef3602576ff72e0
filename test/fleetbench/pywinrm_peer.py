"""pywinrm 0.5.0 as a client of a fleet, with a pool of threads; it speaks the lines of process_linux_test.go."""

import json
import resource
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import xmltodict
from winrm.protocol import Protocol

THREADS = 32
NAMESPACE = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*"
ENUMERATE = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate"
QUERY = "SELECT CSName FROM Win32_OperatingSystem"


class Host:
    """One host and its kept connection."""

    def __init__(self, host, user, password):
        self.name = host["Name"]
        self.protocol = Protocol(host["URL"], transport="ntlm", username=user, password=password, message_encryption="always")

    def ask(self):
        """Asks the query and checks that the row is that of the host."""
        message = {"env:Envelope": self.protocol.build_wsman_header(resource_uri=NAMESPACE, action=ENUMERATE)}
        message["env:Envelope"]["env:Body"] = {
            "n:Enumerate": {
                "w:OptimizeEnumeration": None,
                "w:MaxElements": "20",
                "w:Filter": {"@Dialect": "http://schemas.microsoft.com/wbem/wsman/1/WQL", "#text": QUERY},
            }
        }
        root = ET.fromstring(self.protocol.send_message(xmltodict.unparse(message)))
        names = [node.text for node in root.iter() if node.tag.rpartition("}")[2] == "CSName"]
        if names != [self.name]:
            raise ValueError(f"the rows of {self.name} are {names}")


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def poll(pool, hosts):
    """One pass over all hosts."""

    def ask(host):
        try:
            host.ask()
        except Exception as error:  # told to the parent
            return f"{type(error).__name__}: {error}"

    used, began = cpu(), time.perf_counter()
    errors = [e for e in pool.map(ask, hosts) if e]
    return {
        "Took": int((time.perf_counter() - began) * 1e9),
        "CPU": int((cpu() - used) * 1e9),
        "Failed": len(errors),
        "Error": errors[0] if errors else "",
    }


def main():
    target = json.loads(sys.stdin.readline())
    hosts = [Host(h, target["User"], target["Password"]) for h in target["Hosts"]]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in iter(sys.stdin.readline, ""):
            print(json.dumps(poll(pool, hosts)), flush=True)


main()
