"""Reads and makes objects with impacket, one for each line of JSON that comes in.

{"read": hex}                                what impacket sees in an object
{"read": hex, "call": name, "with": [...]}   the in parameters that it sends to call a method of the class
{"read": hex, "spawn": {name: value}}        an instance of the class as it puts it
"""
import contextlib
import io
import json
import sys

from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dcomrt import INTERFACE, OBJREF_CUSTOM


class Services:
    """Stands in for the connection and keeps what is sent."""

    def ExecMethod(self, path, name, pInParams):
        return path, name, pInParams


def class_object(unit):
    ref = OBJREF_CUSTOM()
    ref["iid"] = wmi.IID_IWbemClassObject
    ref["clsid"] = wmi.CLSID_WbemClassObject
    ref["cbExtension"] = 0
    ref["ObjectReferenceSize"] = len(unit)
    ref["pObjectData"] = unit
    return wmi.IWbemClassObject(INTERFACE(objRef=ref.getData(), target="none"), Services())


def plain(value):
    """A value as JSON; an object as the values of its properties."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, wmi.ENCODING_UNIT):
        value["ObjectBlock"].parseObject()
        seen = value["ObjectBlock"].ctCurrent
        return {name: plain(p["value"]) for name, p in (seen["values"] or seen["properties"]).items()}
    return value


def properties(table):
    return None if table is None else [
        {"name": name, "type": p["type"] & ~0x4000, "inherited": bool(p["inherited"]), "value": plain(p["value"]),
         "qualifiers": {k: plain(v) for k, v in p["qualifiers"].items()}} for name, p in table.items()]


def read(o):
    block = o.getObject()
    seen = block.ctCurrent
    answer = {"name": seen["name"], "qualifiers": {k: plain(v) for k, v in seen["qualifiers"].items()},
              "properties": properties(seen["values"] or seen["properties"])}
    if block.isInstance():
        return answer
    answer["parent"] = block.ctParent["name"]
    answer["parentProperties"] = properties(block.ctParent["properties"])
    answer["methods"] = {name: {"origin": m["origin"], "qualifiers": {k: plain(v) for k, v in m["qualifiers"].items()},
                                "in": properties(m["InParams"]), "out": properties(m["OutParams"])}
                         for name, m in seen["methods"].items()}
    return answer


def sent(ref):
    return OBJREF_CUSTOM(ref)["pObjectData"].hex()


def answer(ask):
    o = class_object(bytes.fromhex(ask["read"]))
    if "call" in ask:
        path, name, ref = getattr(o, ask["call"])(*ask["with"])
        return {"path": path, "name": name, "sent": "" if ref == wmi.NULL else sent(ref.getData())}
    if "spawn" in ask:
        i = o.SpawnInstance()
        for name, value in ask["spawn"].items():
            setattr(i, name, value)
        return {"sent": sent(i.marshalMe().getData())}
    return read(o)


for line in sys.stdin:
    noise = io.StringIO()
    try:
        with contextlib.redirect_stdout(noise):
            said = answer(json.loads(line))
    except Exception as e:
        said = {"error": f"{type(e).__name__}: {e}"}
    print(json.dumps(said), flush=True)
