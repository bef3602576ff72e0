"""pypsrp 0.9.1: the remote shell against a running service."""

import os
import socket
import time
import uuid
import xml.etree.ElementTree as ET

from pypsrp.exceptions import WSManFaultError
from pypsrp.shell import CommandState, Process, SignalCode, WinRS
from pypsrp.wsman import NAMESPACES

import peer
from peer import check, equal


def shell(**options):
    return WinRS(peer.wsman(operation_timeout=10), **options)


def run(s, command, arguments=None, **options):
    p = Process(s, command, arguments, **options)
    p.invoke()
    p.signal(SignalCode.TERMINATE)
    return p


@check("hostname is the host's name")
def _():
    with shell() as s:
        p = run(s, "hostname")
        equal((p.stdout.decode().strip(), p.rc, p.state), (socket.gethostname(), 0, CommandState.DONE))
        uuid.UUID(s.id)
        equal(s.client_ip, "127.0.0.1", "ClientIP")
        equal(bool(s.owner), True, "Owner is told")
        return "owner %s" % s.owner


@check("environment, working directory, no-profile, code page")
def _():
    with shell(environment={"CASEMENT_A": "b c", "CASEMENT_U": "ü"}, working_directory="/usr", no_profile=True, codepage=65001) as s:
        p = run(s, 'printf "%s|%s|" "$CASEMENT_A" "$CASEMENT_U"; pwd')
        equal((p.stdout.decode(), p.rc), ("b c|ü|/usr\n", 0))


@check("a working directory that is not there is an error")
def _():
    try:
        with shell(working_directory="/no/such/folder") as s:
            p = run(s, "pwd")
            equal(p.rc == 0, False, "exit code %s, stdout %r" % (p.rc, p.stdout))
    except WSManFaultError as error:
        return str(error)


@check("two commands share a shell, each with its own exit code")
def _():
    with shell() as s:
        equal([run(s, "exit 3").rc, run(s, "exit 0").rc], [3, 0])


@check("several arguments, quoting by the caller")
def _():
    with shell(codepage=65001) as s:
        equal(run(s, "printf", ["'%s\\n'", "one", "'two three'"]).stdout, b"one\ntwo three\n")


@check("stdin")
def _():
    with shell() as s:
        p = Process(s, "tr a-z A-Z")
        p.begin_invoke()
        p.send(b"hello ", end=False)
        p.send(b"world", end=True)
        p.end_invoke()
        equal((p.stdout, p.rc), (b"HELLO WORLD", 0))


def stopped_by(code):
    with shell() as s:
        p = Process(s, "echo $$; exec sleep 120")
        p.begin_invoke()
        while not p.stdout.endswith(b"\n"):
            p.poll_invoke()
        pid = int(p.stdout)
        os.kill(pid, 0)
        began = time.monotonic()
        p.signal(code)
        if code != SignalCode.TERMINATE:
            p.end_invoke()
            equal(p.rc == 0, False, "exit code %s" % p.rc)
        gone(pid)
        took = time.monotonic() - began
        equal(took < 15, True, "took %.1f s" % took)
        return "exit code %s after %.1f s" % (p.rc, took)


def gone(pid):
    """Waits until a process has gone (or is a zombie of somebody else)."""
    for _ in range(100):
        try:
            with open("/proc/%d/stat" % pid) as f:
                if f.read().rpartition(")")[2].split()[0] == "Z":
                    return
        except FileNotFoundError:
            return
        time.sleep(0.1)
    raise AssertionError("process %d lives on" % pid)


@check("ctrl_c ends a sleeping command")
def _():
    return stopped_by(SignalCode.CTRL_C)


@check("ctrl_break ends a sleeping command")
def _():
    return stopped_by(SignalCode.CTRL_BREAK)


@check("terminate ends a sleeping command")
def _():
    return stopped_by(SignalCode.TERMINATE)


@check("deleting the shell ends its commands, children too")
def _():
    s = shell()
    s.open()
    p = Process(s, "sleep 120 & echo $!; wait")
    p.begin_invoke()
    while not p.stdout.endswith(b"\n"):
        p.poll_invoke()
    pid = int(p.stdout)
    os.kill(pid, 0)
    s.close()
    gone(pid)


@check("a Receive without output is fault 2150858793, and the next one succeeds")
def _():
    with shell() as s:
        p = Process(s, "sleep 3; echo late")
        p.begin_invoke()
        try:
            s.receive("stdout stderr", p.id, timeout=1)
            raise AssertionError("no fault came")
        except WSManFaultError as error:
            equal(error.code, 2150858793)
        p.end_invoke()
        equal((p.stdout, p.rc), (b"late\n", 0))


@check("the shell is seen by Get while it lives, and not after")
def _():
    s = shell()
    s.open()
    equal(s._get_shell()["ShellId"].upper(), s.id.upper())
    chosen = s._selector_set
    s.close()
    try:
        s.wsman.get("http://schemas.microsoft.com/wbem/wsman/1/windows/shell", selector_set=chosen)
    except WSManFaultError as error:
        return str(error)
    raise AssertionError("the deleted shell is still there")


def enumerate_shells(s, uri):
    answer = s.wsman.enumerate(uri, ET.Element("{%s}Enumerate" % NAMESPACES["wsen"]))
    pull = ET.Element("{%s}Pull" % NAMESPACES["wsen"])
    ET.SubElement(pull, "{%s}EnumerationContext" % NAMESPACES["wsen"]).text = answer[0].findtext("wsen:EnumerationContext", namespaces=NAMESPACES)
    ET.SubElement(pull, "{%s}MaxElements" % NAMESPACES["wsen"]).text = "100"
    return [e.text for e in s.wsman.pull(uri, pull).iter("{%s}ShellId" % NAMESPACES["rsp"])]


@check("Enumerate of the shells lists this one, Enumerate of cmd is refused")
def _():
    with shell() as s:
        equal(s.id.upper() in [i.upper() for i in enumerate_shells(s, "http://schemas.microsoft.com/wbem/wsman/1/windows/shell")], True)
        try:
            enumerate_shells(s, s.resource_uri)
        except WSManFaultError as error:
            equal(error.code, 0x80338013)  # wsa:ActionNotSupported
            return
        raise AssertionError("the cmd URI was enumerated")


@check("the end: both streams are marked End, the state is Done, and the exit code is there")
def _():
    with shell() as s:
        p = Process(s, "echo x; exit 5")
        p.begin_invoke()
        receive = ET.Element("{%s}Receive" % NAMESPACES["rsp"])
        ET.SubElement(receive, "{%s}DesiredStream" % NAMESPACES["rsp"], CommandId=p.id).text = "stdout stderr"
        ended, state = set(), None
        while state is None or not state.get("State").endswith("/Done"):
            answer = s.wsman.receive(s.resource_uri, receive, selector_set=s._selector_set)[0]
            ended |= {e.get("Name") for e in answer.findall("rsp:Stream", NAMESPACES) if e.get("End") == "true"}
            state = answer.find("rsp:CommandState", NAMESPACES)
        equal((ended, state.findtext("rsp:ExitCode", namespaces=NAMESPACES)), ({"stdout", "stderr"}, "5"))
        p.state = CommandState.DONE


@check("a command in an unknown shell is a fault")
def _():
    s = shell()
    s.open()
    s.close()
    try:
        Process(s, "hostname").begin_invoke()
    except WSManFaultError as error:
        return str(error)
    raise AssertionError("no fault came")


@check("Disconnect of a cmd shell is refused")
def _():
    with shell() as s:
        try:
            s.wsman.disconnect(s.resource_uri, ET.Element("{%s}Disconnect" % NAMESPACES["rsp"]), selector_set=s._selector_set)
        except WSManFaultError as error:
            equal(error.code, 0x803381C5)
            return
        raise AssertionError("the shell was disconnected")


peer.finished()
