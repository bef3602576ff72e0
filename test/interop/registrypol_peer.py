"""Samba's reader and writer of Registry.pol: read FILE prints its entries as JSON, write FILE makes one from JSON on standard input."""

import json
import sys

from samba.dcerpc import preg
from samba.ndr import ndr_pack, ndr_unpack

SZ, DWORD, MULTI_SZ = 1, 4, 7


def read(name):
    with open(name, "rb") as f:
        file = ndr_unpack(preg.file, f.read())
    rows = []
    for e in file.entries:
        data = list(e.data) if isinstance(e.data, bytes) else e.data
        rows.append([e.keyname, e.valuename, e.type, data])
    json.dump(rows, sys.stdout)


def write(name):
    entries = []
    for key, value, kind, data in json.load(sys.stdin):
        e = preg.entry()
        e.keyname, e.valuename, e.type = key, value, kind
        e.data = data if kind in (SZ, DWORD) else bytes(data)
        entries.append(e)
    file = preg.file()
    file.header.signature, file.header.version = "PReg", 1
    file.num_entries, file.entries = len(entries), entries
    with open(name, "wb") as f:
        f.write(ndr_pack(file))


{"read": read, "write": write}[sys.argv[1]](sys.argv[2])
