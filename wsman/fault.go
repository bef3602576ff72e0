package wsman

import (
	"fmt"
	"strings"
)

// SOAPCode is the code of a SOAP 1.2 fault.
type SOAPCode string

// The codes of SOAP 1.2 part 1 section 5.4.6.
const (
	Sender          SOAPCode = "Sender"
	Receiver        SOAPCode = "Receiver"
	MustUnderstand  SOAPCode = "MustUnderstand"
	VersionMismatch SOAPCode = "VersionMismatch"
)

// Fault is a WS-Management fault: what a service answers, and what a client
// returns as an error. errors.Is(err, code) compares its Code and those of
// its provider faults. See [MS-WSMV] 2.2.4.47 and 4.10.
type Fault struct {
	SOAPCode SOAPCode
	Subcode  Subcode        // "w:TimedOut"; empty if the fault has none
	Detail   string         // URI of w:FaultDetail; empty if it has none
	Code     Code           // of f:WSManFault; 0 if the fault has none
	Machine  string         // the host that the client addressed, as the service writes it
	Reason   string         // s:Reason/s:Text
	Lang     string         // xml:lang of the reason; "" is written as en-US
	Message  string         // f:Message; empty if a provider fault stands in its place
	Provider *ProviderFault // the fault of a plug-in inside f:Message
	WMI      *WMIError      // the WMI error object, where one came along
	Remote   bool           // the peer sent it
	Err      error          // the cause on this side; never written to the wire
	// NotUnderstood names the header of a MustUnderstand fault, local name
	// and namespace.
	NotUnderstood [2]string
}

// ProviderFault is what a plug-in reports. It holds a text or another fault.
// See [MS-WSMV] 2.2.4.47.
type ProviderFault struct {
	Provider string // "Shell cmd plugin"
	ID       string // providerId, a GUID; older services write it instead
	Path     string // "%systemroot%\system32\winrscmd.dll"
	Text     string
	Fault    *InnerFault
	WMI      *WMIError // the WMI error object, where one came along
}

// InnerFault is the f:WSManFault inside a ProviderFault.
type InnerFault struct {
	Code     Code
	Machine  string
	Message  string
	Provider *ProviderFault
}

// WMIError is the part of MSFT_WmiError that says what failed. Clients of
// Windows read error_Code from it.
type WMIError struct {
	Code       Code   // error_Code
	Type       string // error_Type
	Message    string
	MessageID  string
	Category   string // error_Category, a number
	CIMStatus  uint32 // CIMStatusCode
	WindowsMsg string // error_WindowsErrorMessage
}

// NewFault returns the fault that goes with a code: SOAP code, subcode,
// detail and text from the tables. If message is not empty it takes the place
// of the table's text in f:Message.
func NewFault(code Code, message string) *Fault {
	f := &Fault{
		SOAPCode: code.soapCode(),
		Subcode:  code.Subcode(),
		Detail:   code.Detail(),
		Code:     code,
		Reason:   code.Text(),
		Message:  message,
	}
	if strings.HasPrefix(string(f.Subcode), "s:") {
		f.Subcode = "" // MustUnderstand and VersionMismatch are codes of their own
	}
	if message == "" {
		f.Message = f.Reason
	}
	return f
}

// WithDetail returns a copy with another w:FaultDetail; name is the last part
// of its URI.
func (f *Fault) WithDetail(name string) *Fault {
	c := *f
	c.Detail = FaultDetail(name)
	return &c
}

// WithSubcode returns a copy with another subcode and its SOAP code.
func (f *Fault) WithSubcode(sub Subcode, code SOAPCode) *Fault {
	c := *f
	c.Subcode, c.SOAPCode = sub, code
	return &c
}

// WithProvider returns a copy in which the plug-in of this name and path
// reports the code and message. See [MS-WSMV] 4.10.
func (f *Fault) WithProvider(name, path string) *Fault {
	c := *f
	c.Provider = &ProviderFault{
		Provider: name, Path: path,
		Fault: &InnerFault{Code: f.Code, Machine: f.Machine, Message: f.Message},
	}
	c.Message = ""
	return &c
}

// Text returns the most telling text of the fault: that of the innermost
// provider, else the message, else the reason.
func (f *Fault) Text() string {
	for p := f.Provider; p != nil; {
		if p.WMI != nil && p.WMI.Message != "" {
			return p.WMI.Message
		}
		if p.Fault == nil {
			if p.Text != "" {
				return p.Text
			}
			break
		}
		if p.Fault.Message != "" {
			return p.Fault.Message
		}
		p = p.Fault.Provider
	}
	if f.WMI != nil && f.WMI.Message != "" {
		return f.WMI.Message
	}
	if f.Message != "" {
		return f.Message
	}
	return f.Reason
}

// Error gives the text, the code in both notations with its name, and the
// subcode.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(strings.Join(strings.Fields(f.Text()), " "))
	if b.Len() == 0 {
		b.WriteString("WS-Management fault")
	}
	b.WriteString(" (")
	if f.Code != 0 {
		fmt.Fprintf(&b, "%d 0x%08X", uint32(f.Code), uint32(f.Code))
		if name := f.Code.Name(); name != "" {
			b.WriteString(" " + name)
		}
		b.WriteString(", ")
	}
	if f.Subcode != "" {
		b.WriteString(string(f.Subcode))
	} else {
		b.WriteString("s:" + string(f.SOAPCode))
	}
	if i := strings.LastIndexByte(f.Detail, '/'); i >= 0 {
		b.WriteString("/" + f.Detail[i+1:])
	}
	b.WriteByte(')')
	if f.Err != nil {
		b.WriteString(": " + f.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause on this side.
func (f *Fault) Unwrap() error { return f.Err }

// Is reports whether target is the code of the fault or of one of its
// provider faults.
func (f *Fault) Is(target error) bool {
	code, ok := target.(Code)
	if !ok {
		return false
	}
	if f.Code == code || f.WMI != nil && f.WMI.Code == code {
		return true
	}
	for p := f.Provider; p != nil; {
		if p.WMI != nil && p.WMI.Code == code {
			return true
		}
		if p.Fault == nil {
			return false
		}
		if p.Fault.Code == code {
			return true
		}
		p = p.Fault.Provider
	}
	return false
}

// Action returns the action of the message that carries the fault.
func (f *Fault) Action() string {
	if f.Subcode == "" {
		return ActionFaultAddressing
	}
	return f.Subcode.Action()
}
