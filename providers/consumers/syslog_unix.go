//go:build unix

package consumers

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/syslog"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// maxLoggedData is how many bytes of the data of a record are written.
const maxLoggedData = 1024

// Syslog makes a Report that writes to the log of this machine, which is the
// journal where systemd has one. address is the socket of the log, of the kind
// unixgram; "" is the system's own.
func Syslog(address string) func(context.Context, cim.Caller, Record) error {
	network := ""
	if address != "" {
		network = "unixgram"
	}
	return func(_ context.Context, _ cim.Caller, r Record) error {
		w, err := syslog.Dial(network, address, severity(r.Type)|syslog.LOG_USER, tag(r.Source))
		if err != nil {
			return &cim.Error{Status: cim.ErrNotAvailable, Detail: "the log of the system cannot be reached: " + err.Error(), Err: err}
		}
		defer w.Close()
		if _, err := w.Write([]byte(r.text())); err != nil {
			return failed("the log of the system did not take the record", err)
		}
		return nil
	}
}

func severity(kind uint32) syslog.Priority {
	switch kind {
	case 1:
		return syslog.LOG_ERR
	case 2:
		return syslog.LOG_WARNING
	case 8, 16:
		return syslog.LOG_NOTICE
	}
	return syslog.LOG_INFO
}

// tag is a source as the name of a program, which ends at what is no letter.
func tag(source string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7F || strings.ContainsRune(":[]", r) {
			return '_'
		}
		return r
	}, source)
}

// text is the record in one line, whatever the event holds.
func (r *Record) text() string {
	s := fmt.Sprintf("[EventID=%d Category=%d", r.EventID, r.Category)
	if r.User != security.SIDNull {
		s += " User=" + r.User.String()
	}
	if n := len(r.Data); n > maxLoggedData {
		s += fmt.Sprintf(" Data=%s (%d bytes)", hex.EncodeToString(r.Data[:maxLoggedData]), n)
	} else if n > 0 {
		s += " Data=" + hex.EncodeToString(r.Data)
	}
	s += "] " + strings.Join(r.Strings, ", ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
}
