package wsman

import "github.com/casementhq/casement/wsman/internal/soap"

// Anonymous is the address of ReplyTo and FaultTo, and of To in a response.
// See [MS-WSMV] 3.1.4.1.3.
const Anonymous = soap.URIAddressing + "/role/anonymous"

// Actions of WS-Transfer. The action of the response has "Response" appended.
const (
	ActionGet    = soap.URITransfer + "/Get"
	ActionPut    = soap.URITransfer + "/Put"
	ActionCreate = soap.URITransfer + "/Create"
	ActionDelete = soap.URITransfer + "/Delete"
)

// Actions of WS-Enumeration.
const (
	ActionEnumerate = soap.URIEnumeration + "/Enumerate"
	ActionPull      = soap.URIEnumeration + "/Pull"
	ActionRelease   = soap.URIEnumeration + "/Release"
	ActionRenewEnum = soap.URIEnumeration + "/Renew"
	ActionGetStatus = soap.URIEnumeration + "/GetStatus"
)

// Actions of WS-Eventing and of event delivery.
const (
	ActionSubscribe       = soap.URIEventing + "/Subscribe"
	ActionUnsubscribe     = soap.URIEventing + "/Unsubscribe"
	ActionRenew           = soap.URIEventing + "/Renew"
	ActionSubscriptionEnd = soap.URIEventing + "/SubscriptionEnd"
	ActionEvents          = uriWSMan + "/Events"
	ActionEvent           = uriWSMan + "/Event"
	ActionHeartbeat       = uriWSMan + "/Heartbeat"
	ActionDroppedEvents   = uriWSMan + "/DroppedEvents"
	ActionAck             = uriWSMan + "/Ack"
	ActionCancel          = uriMicrosoft + "/wsman/Cancel"
	ActionEnd             = uriMicrosoft + "/wsman/End"
	ActionKeepAlive       = uriMicrosoft + "/wsman/KeepAlive"
	ActionAcknowledge     = uriMicrosoft + "/wsman/Acknowledge"
)

// Actions of faults.
const (
	ActionFaultAddressing  = soap.URIAddressing + "/fault"
	ActionFaultEventing    = soap.URIEventing + "/fault"
	ActionFaultEnumeration = soap.URIEnumeration + "/fault"
	ActionFaultTransfer    = soap.URITransfer + "/fault"
	ActionFaultWSMan       = uriWSMan + "/fault"
)

// Resource URIs and their prefixes.
const (
	ResourceShell        = soap.URIShell
	ResourceCmd          = soap.URIShell + "/cmd"
	ResourcePowerShell   = "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"
	ResourceConfig       = soap.URIConfig
	ResourceListener     = soap.URIConfig + "/listener"
	ResourceWMI          = uriMicrosoft + "/wmi"
	ResourceCIM          = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
	ResourceCIMAny       = "http://schemas.dmtf.org/wbem/wscim/1"
	ResourceClassMeta    = soap.URICIMXML + "/*"
	ResourceEventLog     = uriMicrosoft + "/windows/EventLog"
	ResourceSubscription = uriMicrosoft + "/SubscriptionManager/Subscription"
)

// Dialects of filters and fragments. See [MS-WSMV] 3.1.4.1.13 and 3.1.4.1.18.
const (
	DialectWQL         = uriMicrosoft + "/WQL"
	DialectSelector    = uriWSMan + "/SelectorFilter"
	DialectAssociation = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"
	DialectEventQuery  = "http://schemas.microsoft.com/win/2004/08/events/eventquery"
	DialectXPath       = "http://www.w3.org/TR/1999/REC-xpath-19991116"
)

// Selector names with a meaning of their own.
const (
	SelectorNamespace = "__cimnamespace"
	SelectorShellID   = "ShellId"
)

const (
	uriWSMan     = "http://schemas.dmtf.org/wbem/wsman/1/wsman"
	uriMicrosoft = "http://schemas.microsoft.com/wbem/wsman/1"
)
