package winrmtool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

// PrintError prints what went wrong as winrm does: the fault as text, a blank
// line, the number in signed decimal and in hexadecimal, and what it means. See
// spec section 1.5.
func PrintError(w io.Writer, err error) {
	var wrong *UsageError
	if errors.As(err, &wrong) {
		fmt.Fprintln(w, "Error:", wrong.Message)
		return
	}
	f := asFault(err)
	if f == nil {
		fmt.Fprintln(w, "Error:", err)
		return
	}
	fmt.Fprint(w, faultNode(f).text())
	fmt.Fprintln(w)
	code := faultCode(f)
	fmt.Fprintf(w, "Error number:  %d 0x%08X\n", int32(uint32(code)), uint32(code))
	fmt.Fprintln(w, describe(uint32(code)))
}

// asFault finds the fault in an error, nil for none.
func asFault(err error) *wsman.Fault {
	var f *wsman.Fault
	if errors.As(err, &f) {
		return f
	}
	var set *settings.Error
	if errors.As(err, &set) {
		return wsman.NewFault(wsman.Code(set.Code), set.Message)
	}
	var code wsman.Code
	if errors.As(err, &code) {
		return wsman.NewFault(code, "")
	}
	if errors.Is(err, fs.ErrPermission) {
		return wsman.NewFault(wsman.CodeAccessDenied, err.Error())
	}
	return nil
}

// faultCode is the code of a fault; one without any is an internal error.
func faultCode(f *wsman.Fault) wsman.Code {
	if f.Code != 0 {
		return f.Code
	}
	for p := f.Provider; p != nil; p = p.Fault.Provider {
		if p.Fault == nil {
			break
		}
		if p.Fault.Code != 0 {
			return p.Fault.Code
		}
	}
	return wsman.CodeProviderFailure
}

// faultNode is the WSManFault of a fault as an element.
func faultNode(f *wsman.Fault) *node {
	n := &node{Prefix: "f", Local: "WSManFault", Attrs: []attr{{"xmlns", "f", uriFault},
		{"", "Code", fmt.Sprint(uint32(f.Code))}, {"", "Machine", f.Machine}}}
	message := f.Message
	if message == "" && f.Provider == nil {
		message = f.Text()
	}
	n.child("f", "Message", message).fillProvider(f.Provider)
	return n
}

func (n *node) fillProvider(p *wsman.ProviderFault) {
	if p == nil {
		return
	}
	n.Text = ""
	c := n.child("f", "ProviderFault", p.Text)
	c.Attrs = []attr{{"", "provider", p.Provider}, {"", "path", p.Path}}
	if p.Fault != nil {
		inner := c.child("f", "WSManFault", "")
		inner.Attrs = []attr{{"", "Code", fmt.Sprint(uint32(p.Fault.Code))}, {"", "Machine", p.Fault.Machine}}
		inner.child("f", "Message", p.Fault.Message).fillProvider(p.Fault.Provider)
	}
	if p.WMI != nil {
		extended := c.child("f", "ExtendedError", "").child("f", "MSFT_WmiError", "")
		extended.child("f", "error_Code", fmt.Sprint(uint32(p.WMI.Code)))
		extended.child("f", "Message", p.WMI.Message)
	}
	if len(c.Children) > 0 {
		c.Text = ""
	}
}
