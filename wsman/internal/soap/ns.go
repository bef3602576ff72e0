package soap

// NS identifies a namespace. The namespaces of WS-Management have constants,
// so that a decoder can switch on them; any other namespace gets a number
// from FirstUnknown on, valid for one Reader (see Reader.URI).
type NS uint16

// The known namespaces. The comment names the conventional prefix.
const (
	None         NS = iota // no namespace
	XML                    // xml
	XMLNS                  // xmlns
	Envelope               // s: SOAP 1.2 envelope
	Addressing             // a: WS-Addressing, August 2004
	WSMan                  // w: DMTF WS-Management
	WSMV                   // p: Microsoft's extensions of WS-Management
	Transfer               // x: WS-Transfer
	Enumeration            // n: WS-Enumeration
	Eventing               // e: WS-Eventing
	Shell                  // rsp: remote shell
	Fault                  // f: WSManFault
	CIM                    // cim: DMTF common (DateTime, Interval, Location)
	CIMBinding             // b: DMTF CIM binding
	Identity               // wsmid: Identify
	Subscription           // sub: Microsoft subscription
	Machine                // m: machine id, source-initiated subscriptions
	Policy                 // wsp: WS-Policy, September 2004
	Policy2002             // wsp: WS-Policy, December 2002
	Interactive            // i: interactive CIM operations
	XSI                    // xsi
	XSD                    // xs
	Config                 // cfg: winrm/config
	Authorize              // auth: Microsoft's authentication profiles
	WMIError               // MSFT_WmiError, as Windows puts it into a fault
	CIMXML                 // DMTF CIM-XML documents over WS-Management
	lastKnown

	// FirstUnknown is the first number given to a namespace that has no
	// constant.
	FirstUnknown NS = 64
)

// The URI of each known namespace.
const (
	URIXML          = "http://www.w3.org/XML/1998/namespace"
	URIXMLNS        = "http://www.w3.org/2000/xmlns/"
	URIEnvelope     = "http://www.w3.org/2003/05/soap-envelope"
	URIAddressing   = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
	URIWSMan        = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
	URIWSMV         = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
	URITransfer     = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
	URIEnumeration  = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
	URIEventing     = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
	URIShell        = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
	URIFault        = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
	URICIM          = "http://schemas.dmtf.org/wbem/wscim/1/common"
	URICIMBinding   = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
	URIIdentity     = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
	URISubscription = "http://schemas.microsoft.com/wbem/wsman/1/subscription"
	URIMachine      = "http://schemas.microsoft.com/wbem/wsman/1/machineid"
	URIPolicy       = "http://schemas.xmlsoap.org/ws/2004/09/policy"
	URIPolicy2002   = "http://schemas.xmlsoap.org/ws/2002/12/policy"
	URIInteractive  = "http://schemas.microsoft.com/wbem/wsman/1/cim/interactive.xsd"
	URIXSI          = "http://www.w3.org/2001/XMLSchema-instance"
	URIXSD          = "http://www.w3.org/2001/XMLSchema"
	URIConfig       = "http://schemas.microsoft.com/wbem/wsman/1/config"
	URIAuthorize    = "http://schemas.microsoft.com/wbem/wsman/1/authentication.xsd"
	URIWMIError     = "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/microsoft/windows/MSFT_WmiError"
	URICIMXML       = "http://schemas.dmtf.org/wbem/cim-xml/2/cim-schema/2"
)

var known = [lastKnown]struct{ uri, prefix string }{
	None:         {"", ""},
	XML:          {URIXML, "xml"},
	XMLNS:        {URIXMLNS, "xmlns"},
	Envelope:     {URIEnvelope, "s"},
	Addressing:   {URIAddressing, "a"},
	WSMan:        {URIWSMan, "w"},
	WSMV:         {URIWSMV, "p"},
	Transfer:     {URITransfer, "x"},
	Enumeration:  {URIEnumeration, "n"},
	Eventing:     {URIEventing, "e"},
	Shell:        {URIShell, "rsp"},
	Fault:        {URIFault, "f"},
	CIM:          {URICIM, "cim"},
	CIMBinding:   {URICIMBinding, "b"},
	Identity:     {URIIdentity, "wsmid"},
	Subscription: {URISubscription, "sub"},
	Machine:      {URIMachine, "m"},
	Policy:       {URIPolicy, "wsp"},
	Policy2002:   {URIPolicy2002, "wsp2002"},
	Interactive:  {URIInteractive, "i"},
	XSI:          {URIXSI, "xsi"},
	XSD:          {URIXSD, "xs"},
	Config:       {URIConfig, "cfg"},
	Authorize:    {URIAuthorize, "auth"},
	WMIError:     {URIWMIError, "wmie"},
	CIMXML:       {URICIMXML, "cimxml"},
}

var knownByURI = func() map[string]NS {
	m := make(map[string]NS, lastKnown)
	for i := XML; i < lastKnown; i++ {
		m[known[i].uri] = i
	}
	return m
}()

// URI returns the URI of a known namespace, "" for None and for numbers that
// belong to one Reader.
func (ns NS) URI() string {
	if ns < lastKnown {
		return known[ns].uri
	}
	return ""
}

// Prefix returns the prefix with which the Writer writes a known namespace.
// They are the prefixes that Windows uses.
func (ns NS) Prefix() string {
	if ns < lastKnown {
		return known[ns].prefix
	}
	return ""
}
