"""How fast impacket reads a query over DCOM: impacket_rate.py HOST[PORT] USER LEVEL QUERY prints JSON; the password is in CASEMENT_PASSWORD."""

import json
import os
import sys
import time

from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dcomrt import INTERFACE, DCOMConnection
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY

LEVELS = {"integrity": RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, "privacy": RPC_C_AUTHN_LEVEL_PKT_PRIVACY}


def read(services, query):
    enumerator = services.ExecQuery(query, 0x30)
    count, last = 0, {}
    while True:
        end = False
        try:
            objects = enumerator.Next(0xFFFFFFFF, 100)
        except Exception as error:  # of S_FALSE it makes an exception that has the last objects
            if "S_FALSE" not in str(error):
                raise
            end = True
            objects = [
                wmi.IWbemClassObject(
                    INTERFACE(
                        enumerator.get_cinstance(),
                        b"".join(one["abData"]),
                        enumerator.get_ipidRemUnknown(),
                        oxid=enumerator.get_oxid(),
                        target=enumerator.get_target(),
                    )
                )
                for one in error.get_packet()["apObjects"]
            ]
        for one in objects:
            last = one.getProperties()
            count += 1
        if end:
            enumerator.RemRelease()
            return count, len(last)


def measure(connection, level, query):
    login = wmi.IWbemLevel1Login(connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
    services = login.NTLMLogin("//./root/cimv2", NULL, NULL)
    services.get_dce_rpc().set_auth_level(LEVELS[level])
    wall, cpu = time.monotonic(), time.process_time()
    count, properties = read(services, query)
    print(json.dumps({"Instances": count, "Properties": properties, "Wall": time.monotonic() - wall, "CPU": time.process_time() - cpu}))


def main():
    target, user, level, query = sys.argv[1:]
    connection = DCOMConnection(target, user, os.environ["CASEMENT_PASSWORD"], "", authLevel=RPC_C_AUTHN_LEVEL_PKT_PRIVACY, oxidResolver=True)
    # It looks for the connection by the name of the host alone, and keeps it by the name with the port.
    maps, name = DCOMConnection.PORTMAPS, target.partition("[")[0]
    maps[name] = maps[target]
    try:
        measure(connection, level, query)
    finally:
        del maps[name]
        connection.disconnect()


main()
