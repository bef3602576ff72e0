# Fills a new domain of Samba: users, groups, computers, service principals and their keytabs. The answer is a JSON object of SIDs by name.
import json
import sys

import ldb
import samba.dckeytab
from samba.auth import system_session
from samba.credentials import Credentials
from samba.ndr import ndr_unpack
from samba.dcerpc import security
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

folder, password, dns = sys.argv[1:4]
lp = LoadParm()
lp.load(folder + "/etc/smb.conf")
db = SamDB(url=folder + "/private/sam.ldb", session_info=system_session(), lp=lp)

DISABLED = 0x2
NOT_DELEGATED = 0x100000
TRUSTED_FOR_DELEGATION = 0x80000


def entry(name):
    return db.search(expression="(sAMAccountName=%s)" % name, attrs=["userAccountControl", "objectSid"])[0]


def change(name, **values):
    m = ldb.Message()
    m.dn = entry(name).dn
    for key, value in values.items():
        m[key] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, key)
    db.modify(m)


def control(name, flag):
    change(name, userAccountControl=str(int(str(entry(name)["userAccountControl"])) | flag))


for user in ["alice", "bob", "adam", "delia", "doris"]:
    db.newuser(user, password)
control("delia", NOT_DELEGATED)
control("doris", DISABLED)
db.newgroup("Operators")
db.add_remove_group_members("Operators", ["alice", "doris"])
db.add_remove_group_members("Domain Admins", ["adam"])

net = Net(Credentials(), lp)
for computer, services in [("server", ["HTTP", "WSMAN", "HOST", "RPCSS", "RestrictedKrbHost"]), ("client", ["HOST", "RPCSS", "RestrictedKrbHost"])]:
    db.newcomputer(computer)
    names = [s + "/" + n for s in services for n in (computer, computer + "." + dns)]
    change(computer + "$", servicePrincipalName=names, dNSHostName=computer + "." + dns, **{"msDS-SupportedEncryptionTypes": "28"})
    db.setpassword("(sAMAccountName=%s$)" % computer, password, force_change_at_next_login=False)
    for name in [computer + "$"] + names:
        net.export_keytab(keytab="%s/%s.keytab" % (folder, computer), principal=name)
control("server$", TRUSTED_FOR_DELEGATION)

# The controller gives itself this name some time after its start; nobody here waits for that.
m = ldb.Message()
m.dn = db.search(expression="(&(objectClass=computer)(primaryGroupID=516))", attrs=[])[0].dn
m["spn"] = ldb.MessageElement(["ldap/" + db.host_dns_name()], ldb.FLAG_MOD_ADD, "servicePrincipalName")
db.modify(m)

sids = {}
for found in db.search(expression="(&(sAMAccountName=*)(objectSid=*))", attrs=["sAMAccountName", "objectSid"]):
    sids[str(found["sAMAccountName"]).lower()] = str(ndr_unpack(security.dom_sid, found["objectSid"][0]))
sids[""] = db.get_domain_sid()
json.dump(sids, open(folder + "/sids.json", "w"))
