"""pywinrm 0.5.0 against a running service."""

import hashlib
import platform
import shutil
import socket

import winrm
from winrm.exceptions import InvalidCredentialsError, WinRMError
from winrm.protocol import Protocol

import peer
from peer import HTTP, HTTPS, PASSWORD, USER, Skip, check, equal


def ntlm(**more):
    return winrm.Session(HTTP, auth=(USER, PASSWORD), transport="ntlm", message_encryption="always", **more)


def protocol(**more):
    return Protocol(HTTP, transport="ntlm", username=USER, password=PASSWORD, message_encryption="always", **more)


def run(shell_options, command, arguments=(), stdin=None, **options):
    """One command in a shell of its own; gives stdout, stderr and exit code."""
    p = protocol()
    shell = p.open_shell(**shell_options)
    try:
        command_id = p.run_command(shell, command, arguments, **options)
        for piece, end in stdin or ():
            p.send_command_input(shell, command_id, piece, end)
        result = p.get_command_output(shell, command_id)
        p.cleanup_command(shell, command_id)
        return result
    finally:
        p.close_shell(shell)


@check("ntlm sealed: hostname is the host's name")
def _():
    r = ntlm().run_cmd("hostname")
    equal((r.std_out.decode().strip(), r.status_code), (socket.gethostname(), 0))


@check("ntlm sealed: arguments reach the command")
def _():
    r = ntlm().run_cmd("uname", ["-s", "-r"])
    equal(r.std_out.decode().strip(), platform.system() + " " + platform.release())


@check("exit code 7 comes back")
def _():
    equal(ntlm().run_cmd("exit 7").status_code, 7)


@check("stderr is apart from stdout")
def _():
    r = ntlm().run_cmd("echo out; echo err 1>&2")
    equal((r.std_out, r.std_err, r.status_code), (b"out\n", b"err\n", 0))


@check("a command that does not exist fails with 127 and a text")
def _():
    r = ntlm().run_cmd("no-such-command-here")
    equal(r.status_code, 127)
    equal(bool(r.std_err.strip()), True, "stderr has a text")


@check("stdin in two pieces comes back whole")
def _():
    out, err, code = run({}, "cat", stdin=[(b"first line\n", False), (b"second line\n", True)], console_mode_stdin=False)
    equal((out, err, code), (b"first line\nsecond line\n", b"", 0))


@check("binary stdin of 300 kB has its checksum")
def _():
    data = bytes(range(256)) * 1200
    pieces = [data[i : i + 60000] for i in range(0, len(data), 60000)]
    out, err, code = run({"codepage": 65001}, "sha256sum", stdin=[(p, i == len(pieces) - 1) for i, p in enumerate(pieces)], console_mode_stdin=False)
    equal((out.split()[0].decode(), code), (hashlib.sha256(data).hexdigest(), 0))


@check("unicode survives in arguments and output, code page 65001")
def _():
    text = "grüße 漢字 Ω 😀 <&>\"'"
    quoted = "'" + text.replace("'", "'\\''") + "'"
    out, err, code = run({"codepage": 65001}, "printf %s " + quoted)
    equal((out.decode("utf-8"), code), (text, 0))


@check("code page 437 turns output into that code page")
def _():
    out, _, code = run({"codepage": 437}, "printf '%s' 'grüße'")
    equal((out.decode("437"), code), ("grüße", 0))


@check("environment variables reach the command")
def _():
    out, _, _ = run({"env_vars": {"CASEMENT_ONE": "1 & two", "CASEMENT_TWO": "ü"}, "codepage": 65001}, 'printf "%s|%s" "$CASEMENT_ONE" "$CASEMENT_TWO"')
    equal(out.decode("utf-8"), "1 & two|ü")


@check("the working directory is the one asked for")
def _():
    out, _, _ = run({"working_directory": "/usr"}, "pwd")
    equal(out, b"/usr\n")


@check("50 MB of output arrive whole")
def _():
    size = 50 * 1024 * 1024
    want = hashlib.sha256()
    for _ in range(50):
        want.update(b"a" * (1024 * 1024))
    out, err, code = run({}, "head -c %d /dev/zero | tr '\\0' a" % size)
    equal((len(out), code), (size, 0))
    equal(hashlib.sha256(out).hexdigest(), want.hexdigest())


@check("a command that is silent for longer than OperationTimeout ends well")
def _():
    p = protocol(operation_timeout_sec=2, read_timeout_sec=10)
    shell = p.open_shell()
    try:
        command = p.run_command(shell, "sleep 5; echo done")
        out, _, code = p.get_command_output(shell, command)
        equal((out, code), (b"done\n", 0))
    finally:
        p.close_shell(shell)


@check("run_ps without pwsh is a clean error")
def _():
    r = ntlm().run_ps("Write-Output 1")
    if shutil.which("pwsh"):
        equal((r.std_out.strip(), r.status_code), (b"1", 0))
        return "pwsh is installed here, and ran"
    if r.status_code == 0 or not r.std_err.strip():
        raise AssertionError("code %d, stderr %r" % (r.status_code, r.std_err))
    return r.std_err.decode(errors="replace")


@check("ntlm over https with channel bindings")
def _():
    s = winrm.Session(HTTPS, auth=(USER, PASSWORD), transport="ntlm", server_cert_validation="ignore")
    equal(s.run_cmd("hostname").std_out.decode().strip(), socket.gethostname())


@check("ntlm with a wrong password is refused")
def _():
    s = winrm.Session(HTTP, auth=(USER, "not the password"), transport="ntlm", message_encryption="always")
    try:
        s.run_cmd("hostname")
    except InvalidCredentialsError:
        return
    raise AssertionError("the wrong password was accepted")


@check("an unknown user is refused")
def _():
    s = winrm.Session(HTTP, auth=("nobody-of-that-name", PASSWORD), transport="ntlm", message_encryption="always")
    try:
        s.run_cmd("hostname")
    except InvalidCredentialsError:
        return
    raise AssertionError("the unknown user was accepted")


@check("ntlm without encryption is refused over http")
def _():
    s = winrm.Session(HTTP, auth=(USER, PASSWORD), transport="ntlm", message_encryption="never")
    try:
        s.run_cmd("hostname")
    except WinRMError as error:
        return str(error)
    raise AssertionError("a clear message was served while AllowUnencrypted is false")


@check("basic is refused while it is off")
def _():
    peer.configure(Basic="false")
    s = winrm.Session(HTTPS, auth=(USER, PASSWORD), transport="basic", server_cert_validation="ignore")
    try:
        s.run_cmd("hostname")
    except WinRMError as error:
        return str(error)
    raise AssertionError("Basic was accepted while it is off")


@check("basic over https")
def _():
    peer.configure(Basic="true")
    s = winrm.Session(HTTPS, auth=(USER, PASSWORD), transport="basic", server_cert_validation="ignore")
    r = s.run_cmd("hostname")
    equal((r.std_out.decode().strip(), r.status_code), (socket.gethostname(), 0))


@check("basic over https with a wrong password is refused")
def _():
    s = winrm.Session(HTTPS, auth=(USER, "not the password"), transport="basic", server_cert_validation="ignore")
    try:
        s.run_cmd("hostname")
    except InvalidCredentialsError:
        return
    raise AssertionError("the wrong password was accepted")


@check("basic over http is refused")
def _():
    s = winrm.Session(HTTP, auth=(USER, PASSWORD), transport="basic")
    try:
        s.run_cmd("hostname")
    except WinRMError as error:
        return str(error)
    raise AssertionError("Basic in clear text was accepted")


peer.configure(Basic="false")


@check("a self-signed certificate is refused by a client that verifies")
def _():
    s = winrm.Session(HTTPS, auth=(USER, PASSWORD), transport="ntlm", server_cert_validation="validate")
    try:
        s.run_cmd("hostname")
    except Exception as error:
        if "certificate" in str(error).lower():
            return
        raise
    raise Skip("this machine trusts the certificate")


peer.finished()
