#!/usr/bin/env python3
"""A decoupled provider without a library: the notes in a folder as instances of Example_Note.

    notes.py SOCKET FOLDER

docs/providers.md describes the protocol. One connection serves one operation at a time; this program
opens the next one when an operation begins, so that another can be served meanwhile.
"""
import datetime
import json
import os
import re
import socket
import sys
import threading

NOT_FOUND, INVALID_PARAMETER, ALREADY_EXISTS = "0x80041002", "0x80041008", "0x80041019"
NOT_CAPABLE, INVALID_METHOD = "0x80041024", "0x8004102E"


class Failure(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


class Notes:
    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        if not isinstance(name, str) or not re.fullmatch(r"[\w -]{1,100}", name):
            raise Failure(INVALID_PARAMETER, "a name is made of letters, digits, blanks, - and _")
        return os.path.join(self.folder, name + ".txt")

    def read(self, name, wanted=None):
        """One note; the text is read only where it is wanted."""
        path = self.path(name)
        try:
            info = os.stat(path)
            note = {"Name": name, "Size": info.st_size}
            when = datetime.datetime.fromtimestamp(info.st_mtime, datetime.timezone.utc)
            note["LastModified"] = when.strftime("%Y%m%d%H%M%S.%f+000")
            if wanted is None or "Text" in wanted:
                with open(path, encoding="utf-8") as f:
                    note["Text"] = f.read()
        except FileNotFoundError:
            raise Failure(NOT_FOUND, "there is no such note") from None
        return note

    def write(self, note, new):
        try:
            with open(self.path(note.get("Name")), "x" if new else "r+", encoding="utf-8") as f:
                f.truncate()
                f.write(note.get("Text") or "")
        except FileExistsError:
            raise Failure(ALREADY_EXISTS, "there is such a note") from None
        except FileNotFoundError:
            raise Failure(NOT_FOUND, "there is no such note") from None

    def answer(self, request):
        """The lines of an answer."""
        op, wanted = request["op"], request.get("properties")
        name = request.get("path", request.get("where", {})).get("Name")
        if op == "enumerate":
            for file in sorted(os.listdir(self.folder)):
                note, ending = os.path.splitext(file)
                if ending == ".txt" and (name is None or note.lower() == name.lower()):
                    yield {"instance": self.read(note, wanted)}
        elif op == "get":
            yield {"instance": self.read(name, wanted)}
        elif op == "create":
            self.write(request["instance"], new=True)
            yield {"instance": self.read(request["instance"]["Name"])}
        elif op == "put":
            if "Text" in wanted:
                self.write(request["instance"], new=False)
        elif op == "delete":
            self.read(name, ())
            os.remove(self.path(name))
        elif op == "invoke":
            if request["method"] != "CountWords":
                raise Failure(INVALID_METHOD, "")
            words = len(self.read(name)["Text"].split())
            yield {"done": True, "return": 0, "out": {"Words": words}}
            return
        else:
            raise Failure(NOT_CAPABLE, "")
        yield {"done": True}


class Provider:
    def __init__(self, socket_path, notes):
        self.socket_path, self.notes = socket_path, notes
        self.lock, self.free, self.refused = threading.Lock(), 0, None
        self.over = threading.Event()

    def spare(self):
        """Keeps one connection free."""
        with self.lock:
            if self.free > 0:
                return
            self.free += 1
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(self.socket_path)
                with s.makefile("rw", encoding="utf-8", newline="\n") as stream:
                    self.converse(stream)
        except OSError as e:
            self.refused = str(e)
            self.over.set()
        with self.lock:
            self.free -= 1
        if not self.over.is_set():
            self.spare()

    def converse(self, stream):
        def send(line):
            stream.write(json.dumps(line) + "\n")

        send({"register": "ExampleNotes", "namespace": "root\\cimv2", "protocol": 1})
        stream.flush()
        welcome = json.loads(stream.readline() or '{"error": {"text": "the service ended the connection"}}')
        if not welcome.get("registered"):
            self.refused = welcome["error"].get("text")
            self.over.set()
            return
        for line in stream:
            with self.lock:
                self.free -= 1
            self.spare()
            try:
                for reply in self.notes.answer(json.loads(line)):
                    send(reply)
            except Failure as e:
                send({"error": {"code": e.code, "text": e.text}})
            try:
                stream.flush()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the service does not want the rest
            with self.lock:
                self.free += 1


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    provider = Provider(sys.argv[1], Notes(sys.argv[2]))
    provider.spare()
    try:
        provider.over.wait()
    except KeyboardInterrupt:
        return
    sys.exit(f"{sys.argv[1]}: {provider.refused}")


if __name__ == "__main__":
    main()
