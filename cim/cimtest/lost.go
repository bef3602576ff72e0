package cimtest

// Loss is something that a path cannot carry. Lines of that aspect are not
// compared.
type Loss struct {
	Aspect  string
	Section string // where that is said
	Why     string
}

// LostByWSMan is what WS-Management cannot carry of the answers of a session.
// Whatever is not on it must be equal.
var LostByWSMan = []Loss{
	{"server", "DSP0226 5.2.1 and [MS-WSMV] 2.2.4",
		"an endpoint reference has the address that the client used, not the host's own name (__SERVER)"},
	{"empty array", "DSP0230 7.2.3 and [MS-WSMV] 3.1.4.1.26",
		"an array is written as its elements, so that one without elements is as absent as a property that was not sent"},
	{"extended", "DSP0226 14.6",
		"a fault carries codes and a text, not the object of class __ExtendedStatus"},
}

// LostByDCOM is the same for WMI over DCOM: what comes in another form.
var LostByDCOM = []Loss{
	{"parameter id", "[MS-WMIO] 2.3.3",
		"the signature of a method numbers its parameters by the qualifier ID, also where the class does not"},
}
