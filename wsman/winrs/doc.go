// Package winrs holds the messages of the remote shell: Shell, CommandLine,
// Send, Receive, Signal, Disconnect, Reconnect and Connect. They serve the
// command shell and, with elements of their own protocol, custom shells such
// as PowerShell. See [MS-WSMV] 2.2.4 and 3.1.4.11 to 3.1.4.17.
package winrs

import (
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Actions of the shell. The action of the response has "Response" appended.
const (
	ActionCommand    = soap.URIShell + "/Command"
	ActionSend       = soap.URIShell + "/Send"
	ActionReceive    = soap.URIShell + "/Receive"
	ActionSignal     = soap.URIShell + "/Signal"
	ActionDisconnect = soap.URIShell + "/Disconnect"
	ActionReconnect  = soap.URIShell + "/Reconnect"
	ActionConnect    = soap.URIShell + "/Connect"
)

// Options of shell messages. See [MS-WSMV] 3.1.4.5.2, 3.1.4.11 and 3.1.4.14.
const (
	OptionNoProfile    = "WINRS_NOPROFILE"                 // Create
	OptionCodePage     = "WINRS_CODEPAGE"                  // Create
	OptionConsoleStdin = "WINRS_CONSOLEMODE_STDIN"         // Command
	OptionSkipShell    = "WINRS_SKIP_CMD_SHELL"            // Command
	OptionKeepAlive    = "WSMAN_CMDSHELL_OPTION_KEEPALIVE" // Receive
)

// children calls f at the StartElement of each child in the namespace of the
// shell; other children are given to other, or skipped if that is nil.
func children(r *soap.Reader, f, other func() error) error {
	for {
		more, err := r.Child()
		if err != nil || !more {
			return err
		}
		switch {
		case r.Space() == soap.Shell:
			err = f()
		case other != nil:
			err = other()
		default:
			err = r.Skip()
		}
		if err != nil {
			return err
		}
	}
}

// str reads simple content as it is; trimmed reads it without the white space
// around it.
func str(r *soap.Reader, to *string) error {
	b, err := r.ReadText()
	*to = string(b)
	return err
}

func trimmed(r *soap.Reader, to *string) error {
	b, err := r.ReadText()
	*to = string(soap.TrimSpace(b))
	return err
}

// duration reads an xs:duration.
func duration(r *soap.Reader, to *time.Duration, has *bool) error {
	var s string
	name := string(r.Local())
	if err := trimmed(r, &s); err != nil {
		return err
	}
	d, err := wsman.ParseDuration(s)
	if err != nil {
		return badValue(name + " is not a duration")
	}
	*to, *has = d, true
	return nil
}

// badValue is the answer of a shell to XML that does not fit. See [MS-WSMV]
// note 89.
func badValue(why string) *wsman.Fault {
	return wsman.NewFault(wsman.CodeWin32InvalidParameter, why)
}

func put(w *soap.Writer, name, value string) {
	if value != "" {
		w.Element(soap.Shell, name, value)
	}
}

// streamNames splits a list of stream names, of which there are few.
func streamNames(s string) []string {
	const most = 32
	var list []string
	for i := 0; i < len(s) && len(list) < most; {
		for i < len(s) && isBlank(s[i]) {
			i++
		}
		from := i
		for i < len(s) && !isBlank(s[i]) {
			i++
		}
		if i > from {
			list = append(list, s[from:i])
		}
	}
	return list
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
