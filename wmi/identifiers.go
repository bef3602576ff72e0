package wmi

import "github.com/casementhq/casement/security"

// Identifiers of the interfaces. See [MS-WMI] 1.9 and its appendix A; opnums are in the package of their arguments.
var (
	IIDLevel1Login        = guid("f309ad18-d86a-11d0-a075-00c04fb68820")
	IIDLoginClientID      = guid("d4781cd6-e5d3-44df-ad94-930efe48a887")
	IIDLoginClientIDEx    = guid("9f6c78ef-fce5-42fa-abea-3e7df91921dc") // not in [MS-WMI]: Windows 8 and later ask for it first
	IIDLoginHelper        = guid("541679ab-2e5f-11d3-b34e-00104bcc4b4a")
	IIDServices           = guid("9556dc99-828c-11cf-a37e-00aa003240c7")
	IIDEnumClassObject    = guid("027947e1-d731-11ce-a357-000000000001")
	IIDFetchSmartEnum     = guid("1c1c45ee-4395-11d2-b60b-00104b703efd")
	IIDWCOSmartEnum       = guid("423ec01e-2e35-11d2-b604-00104b703efd")
	IIDCallResult         = guid("44aca675-e8fc-11d0-a07c-00c04fb68820")
	IIDObjectSink         = guid("7c857801-7381-11cf-884d-00aa004b2e24")
	IIDRefreshingServices = guid("2c9273e0-1dc3-11d3-b364-00105a1f8177")
	IIDRemoteRefresher    = guid("f1e9c5b2-f59b-11d2-b362-00105a1f8177")
	IIDBackupRestore      = guid("c49e32c7-bc8b-11d2-85d4-00105a1f8304")
	IIDBackupRestoreEx    = guid("a359dec5-e813-4834-8a2a-ba7f1d777d76")

	// IIDClassObject and IIDContext name what travels by value.
	IIDClassObject = guid("dc12a681-737f-11cf-884d-00aa004b2e24")
	IIDContext     = guid("44aca674-e8fc-11d0-a07c-00c04fb68820")
)

// Identifiers of the classes. See [MS-WMI] 1.9.
var (
	CLSIDLevel1Login   = guid("8bc3f05e-d86b-11d0-a075-00c04fb68820") // what a client activates
	CLSIDBackupRestore = guid("c49e32c6-bc8b-11d2-85d4-00105a1f8304") // what a client of backups activates

	// CLSIDClassObject and CLSIDContext are the unmarshalers of what travels by value, as OBJREF_CUSTOM names them.
	CLSIDClassObject = guid("4590f812-1d3a-11d0-891f-00aa004b2e24")
	CLSIDContext     = guid("674b6698-ee92-11d0-ad71-00c04fd8fdff")
)

func guid(text string) security.GUID {
	g, err := security.ParseGUID(text)
	if err != nil {
		panic(err)
	}
	return g
}
