"""requests 2.34.2, with requests_ntlm 1.3.0 where it signs in: what a script without a WinRM library sends over HTTPS."""

import socket
import uuid
import xml.etree.ElementTree as ET

import requests
from requests_ntlm import HttpNtlmAuth

import peer
from peer import HTTP, HTTPS, PASSWORD, USER, WMI, check, equal

S = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMID = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"

IDENTIFY = '<s:Envelope xmlns:s="%s" xmlns:i="%s"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>' % (S, WSMID)


def post(url, body, charset="UTF-8", **options):
    session = requests.Session()
    session.trust_env = False
    session.verify = False
    headers = {"Content-Type": "application/soap+xml;charset=" + charset}
    headers.update(options.pop("headers", {}))
    with session:
        return session.post(url, data=body.encode("utf-16" if charset == "UTF-16" else charset), headers=headers, timeout=30, **options)


def get_operating_system():
    return (
        '<s:Envelope xmlns:s="%s" xmlns:a="%s" xmlns:w="%s"><s:Header><a:To>%s</a:To>'
        "<a:ReplyTo><a:Address>%s/role/anonymous</a:Address></a:ReplyTo><a:Action>%s/Get</a:Action>"
        "<a:MessageID>uuid:%s</a:MessageID><w:ResourceURI>%sWin32_OperatingSystem</w:ResourceURI></s:Header><s:Body/></s:Envelope>"
    ) % (S, ADDRESSING, WSMAN, HTTPS, ADDRESSING, TRANSFER, uuid.uuid4(), WMI)


def operating_system(answer):
    equal(answer.status_code, 200, "status")
    envelope = ET.fromstring(answer.content)
    found = envelope.find("{%s}Body" % S)[0]
    equal(found.tag.rpartition("}")[2], "Win32_OperatingSystem")
    equal([e.text for e in found if e.tag.endswith("}CSName")], [socket.gethostname()], "CSName")
    return envelope


@check("HttpNtlmAuth: Identify")
def _():
    answer = post(HTTPS, IDENTIFY, auth=HttpNtlmAuth(USER, PASSWORD))
    equal(answer.status_code, 200, "status")
    got = ET.fromstring(answer.content).find(".//{%s}ProtocolVersion" % WSMID)
    equal(got.text, WSMAN)


@check("HttpNtlmAuth: Get, and the answer names its request")
def _():
    request = get_operating_system()
    envelope = operating_system(post(HTTPS, request, auth=HttpNtlmAuth(USER, PASSWORD)))
    asked = ET.fromstring(request).findtext(".//{%s}MessageID" % ADDRESSING)
    equal(envelope.findtext(".//{%s}RelatesTo" % ADDRESSING), asked, "RelatesTo")
    equal(envelope.findtext(".//{%s}Action" % ADDRESSING), TRANSFER + "/GetResponse", "Action")


def offered():
    answer = post(HTTPS, get_operating_system())
    equal((answer.status_code, answer.content), (401, b""))
    return [o.split()[0] for o in answer.headers["WWW-Authenticate"].split(", ")]


@check("Basic: offered only when it is on, and Get")
def _():
    equal(offered(), ["Negotiate"], "offered by default")
    peer.configure(Basic="true")
    try:
        equal(sorted(offered()), ["Basic", "Negotiate"], "offered")
        operating_system(post(HTTPS, get_operating_system(), auth=(USER, PASSWORD)))
    finally:
        peer.configure(Basic="false")


@check("UTF-16 with a byte order mark is read and answered")
def _():
    answer = post(HTTPS, get_operating_system(), charset="UTF-16", auth=HttpNtlmAuth(USER, PASSWORD))
    equal("utf-16" in answer.headers["Content-Type"].lower(), True, answer.headers["Content-Type"])
    operating_system(answer)


@check("another path is 404, another method 405, broken XML a fault of the sender")
def _():
    auth = HttpNtlmAuth(USER, PASSWORD)
    equal(post(HTTPS.replace("/wsman", "/elsewhere"), IDENTIFY, auth=auth).status_code, 404)
    equal(requests.get(HTTP, timeout=30).status_code, 405)
    answer = post(HTTPS, "<s:Envelope", auth=auth)
    equal(answer.status_code in (400, 500), True, "status %d" % answer.status_code)
    if answer.content:
        equal(ET.fromstring(answer.content).findtext(".//{%s}Code/{%s}Value" % (S, S)).rpartition(":")[2], "Sender")


@check("a document type is refused, and nothing of it is expanded")
def _():
    request = '<!DOCTYPE x [<!ENTITY e "%s">]>' % ("A" * 64) + get_operating_system().replace("uuid:", "uuid:&e;")
    answer = post(HTTPS, request, auth=HttpNtlmAuth(USER, PASSWORD))
    equal(answer.status_code in (400, 500), True, "status %d" % answer.status_code)
    equal(b"AAAA" in answer.content, False, "the entity was expanded")


peer.finished()
