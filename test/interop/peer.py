"""What the peer scripts share: named checks as JSON lines, and facts about this host that do not come from Casement."""

import json
import os
import sys
import traceback
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

HTTP = os.environ["CASEMENT_HTTP"]
HTTPS = os.environ["CASEMENT_HTTPS"]
USER = os.environ["CASEMENT_USER"]
PASSWORD = os.environ["CASEMENT_PASSWORD"]

WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
SERVICE_AUTH = CONFIG + "/service/auth"


class Skip(Exception):
    """Raised by a check that this machine cannot show; the text says why."""


class Absent(Exception):
    """Raised by a check whose tool is not installed; on the build machine that is a failure."""


def check(name):
    """Decorator: run the function now, and print what came of it. A returned string is the detail."""

    def run(function):
        try:
            detail = function() or ""
            emit(name, True, str(detail)[:500])
        except Skip as why:
            emit(name, True, "skip: %s" % why)
        except Absent as what:
            emit(name, True, "absent: %s" % what)
        except Exception as error:  # a check that breaks is a failed check, and the next one runs
            where = traceback.extract_tb(sys.exc_info()[2])[-1]
            emit(name, False, "%s: %s (%s:%d)" % (type(error).__name__, error, os.path.basename(where.filename), where.lineno))
        return function

    return run


def emit(name, ok, detail=""):
    sys.stdout.write(json.dumps({"name": name, "ok": ok, "detail": detail}) + "\n")  # in one piece: others may write at the same time
    sys.stdout.flush()


def finished():
    emit("finished", True)


def equal(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what or "value", got, want))


def os_release():
    """/etc/os-release as a dictionary."""
    import platform

    return platform.freedesktop_os_release()


def meminfo(field):
    """A field of /proc/meminfo in kB."""
    with open("/proc/meminfo") as lines:
        for line in lines:
            name, value = line.split(":")
            if name == field:
                return int(value.split()[0])
    raise KeyError(field)


def wsman(ssl=False, auth="ntlm", user=USER, password=PASSWORD, **more):
    """A pypsrp WSMan to one of the two listeners; sealed over HTTP unless told otherwise."""
    from pypsrp.wsman import WSMan

    at = urlsplit(HTTPS if ssl else HTTP)
    more.setdefault("encryption", "auto" if ssl else "always")
    return WSMan(at.hostname, port=at.port, ssl=ssl, auth=auth, username=user, password=password, cert_validation=False, **more)


def configure(uri=SERVICE_AUTH, **values):
    """Changes settings, of winrm/config/service/auth unless told otherwise, by Get and Put, as the winrm tool of Windows does."""
    client = wsman()
    try:
        body = client.get(uri)
        auth = body[0]
        namespace = auth.tag.partition("}")[0].lstrip("{")
        for name, value in values.items():
            element = auth.find("{%s}%s" % (namespace, name))
            if element is None:
                element = ET.SubElement(auth, "{%s}%s" % (namespace, name))
            element.text = value
            for attribute in list(element.attrib):
                del element.attrib[attribute]
        from pypsrp.wsman import WSManAction

        client.invoke(WSManAction.PUT, uri, auth)
        now = client.get(uri)[0]
        for name, value in values.items():
            equal(now.findtext("{%s}%s" % (namespace, name)), value, name)
    finally:
        client.close()


WSEN = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WQL = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def local(tag):
    return tag.rpartition("}")[2]


def properties(instance):
    """The properties of an instance by name; None for NULL, a list for what repeats."""
    found = {}
    for child in instance:
        value = None if child.get(XSI_NIL) == "true" else (child.text or "")
        if len(child):
            value = "".join(child.itertext())
        name = local(child.tag)
        if name in found:
            found[name] = (found[name] if isinstance(found[name], list) else [found[name]]) + [value]
        else:
            found[name] = value
    return found


def enumeration(client, uri, *content, maximum=None, optimize=False, mode=None):
    """Enumerate and Pull to the end with a pypsrp client; gives the items and the number of answers."""
    request = ET.Element("{%s}Enumerate" % WSEN)
    if optimize:
        ET.SubElement(request, "{%s}OptimizeEnumeration" % WSMAN)
    if maximum:
        ET.SubElement(request, "{%s}MaxElements" % WSMAN).text = str(maximum)
    if mode:
        ET.SubElement(request, "{%s}EnumerationMode" % WSMAN).text = mode
    request.extend(content)
    answer = client.enumerate(uri, request)[0]
    items, answers = [], 1
    while True:
        found = answer.find("{%s}Items" % WSMAN)
        if found is None:
            found = answer.find("{%s}Items" % WSEN)
        if found is not None:
            items.extend(found)
        end = answer.find("{%s}EndOfSequence" % WSEN), answer.find("{%s}EndOfSequence" % WSMAN)
        context = answer.findtext("{%s}EnumerationContext" % WSEN)
        if end != (None, None) or not context:
            return items, answers
        pull = ET.Element("{%s}Pull" % WSEN)
        ET.SubElement(pull, "{%s}EnumerationContext" % WSEN).text = context
        ET.SubElement(pull, "{%s}MaxElements" % WSEN).text = str(maximum or 50)
        answer = client.pull(uri, pull)[0]
        answers += 1


def query(client, text, uri=WMI + "*"):
    f = ET.Element("{%s}Filter" % WSMAN, Dialect=WQL)
    f.text = text
    return enumeration(client, uri, f)[0]
