"""pypsrp 0.9.1 and pywinrm 0.5.0: sign-in by a client certificate. The mapping is made by pypsrp over the wire; authority and certificate are openssl's."""

import os
import xml.etree.ElementTree as ET

from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError
from pypsrp.shell import Process, WinRS
from pypsrp.wsman import SelectorSet

import peer
from peer import CONFIG, HTTPS, PASSWORD, USER, check, equal

FOLDER = os.environ["CASEMENT_CERTIFICATES"]
ISSUER = os.environ["CASEMENT_ISSUER"]
MAPPING = CONFIG + "/service/certmapping"


def file(name):
    return os.path.join(FOLDER, name)


def selectors(subject="*@casement.example", uri="*"):
    found = SelectorSet()
    for name, value in (("Issuer", ISSUER), ("Subject", subject), ("URI", uri)):
        found.add_option(name, value)
    return found


def create(user=USER, password=PASSWORD, **keys):
    body = ET.Element("{%s}CertMapping" % MAPPING)
    ET.SubElement(body, "{%s}UserName" % MAPPING).text = user
    ET.SubElement(body, "{%s}Password" % MAPPING).text = password
    client = peer.wsman()
    try:
        client.create(MAPPING, body, selector_set=selectors(**keys))
    finally:
        client.close()


def delete(**keys):
    client = peer.wsman()
    try:
        client.delete(MAPPING, selector_set=selectors(**keys))
    finally:
        client.close()


def certified(name="client"):
    return peer.wsman(ssl=True, auth="certificate", user=None, password=None, certificate_pem=file(name + ".pem"), certificate_key_pem=file(name + ".key"))


def reads(name="client"):
    client = certified(name)
    try:
        return client.get(CONFIG)[0].tag.rpartition("}")[2]
    finally:
        client.close()


def refused(name="client"):
    try:
        got = reads(name)
    except WSManFaultError as error:
        return "code %s" % error.code
    except (AuthenticationError, WinRMTransportError, WinRMError) as error:
        return "%s: %s" % (type(error).__name__, error)
    raise AssertionError("it was let in, and read %s" % got)


def faults(code, **arguments):
    try:
        create(**arguments)
    except WSManFaultError as error:
        equal("0x%08X" % error.code, code)
        return
    raise AssertionError("the mapping was made")


@check("certificates are off by default, and no mapping lets anybody in")
def _():
    refused()
    peer.configure(Certificate="true")
    equal(refused(), "code 5")


@check("a mapping wants an account of this machine and its password")
def _():
    faults("0x80338154", user="CORP\\" + USER)
    faults("0x80338154", password="not the password")
    faults("0x8033816B", password="")
    faults("0x8033816A", password="x" * 256)
    faults("0x80338161", subject="a*")


@check("pypsrp: a mapping, and Get")
def _():
    create()
    equal(reads(), "Config")


@check("pypsrp: a shell")
def _():
    with WinRS(certified()) as shell:
        process = Process(shell, "echo", ["who", "came"])
        process.invoke()
        equal((process.stdout, process.rc), (b"who came\n", 0))


@check("pywinrm: a command over a connection of its own")
def _():
    import winrm

    session = winrm.Session(HTTPS, auth=(None, None), transport="certificate", cert_pem=file("client.pem"), cert_key_pem=file("client.key"),
                            server_cert_validation="ignore")
    answer = session.run_cmd("echo", ["by pywinrm"])
    equal((answer.std_out, answer.status_code), (b"by pywinrm\n", 0))


@check("a certificate of another authority is refused")
def _():
    return refused("stranger")


@check("the longer subject decides, equals decide nothing")
def _():
    create(subject="client@casement.example", uri=CONFIG)
    equal(reads(), "Config")
    delete(subject="client@casement.example", uri=CONFIG)
    create(subject="*@casement.example", uri=CONFIG + "*")
    equal(reads(), "Config")
    delete(subject="*@casement.example", uri=CONFIG + "*")


@check("other schemes go on while certificates are asked for")
def _():
    client = peer.wsman(ssl=True, auth="negotiate")
    try:
        equal(client.get(CONFIG)[0].tag.rpartition("}")[2], "Config")
    finally:
        client.close()


@check("without the mapping the certificate is nobody's")
def _():
    delete()
    equal(refused(), "code 5")
    peer.configure(Certificate="false")
    refused()


peer.finished()
