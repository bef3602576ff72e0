package winrs

import (
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// Shell is the body of a Create, the second element of its response, and an
// item of an enumeration of shells. Empty fields are not written. See
// [MS-WSMV] 2.2.4.37.
type Shell struct {
	ShellID          string
	IDAttr           string // the ShellId attribute, by which a client names the shell
	Name             string // at most 255 characters
	ResourceURI      string
	Owner            string
	ClientIP         string
	ProcessID        string
	Environment      []Variable
	WorkingDirectory string
	Lifetime         time.Duration // 0 means absent
	IdleTimeOut      time.Duration // 0 means absent
	InputStreams     []string      // "stdin"
	OutputStreams    []string      // "stdout", "stderr"
	MaxIdleTimeOut   time.Duration // 0 means absent
	Locale           string
	DataLocale       string
	CompressionMode  string // "XpressCompression" or "NoCompression"
	ProfileLoaded    string // "Yes" or "No"
	Encoding         string
	BufferMode       string // "Block", "Drop" or "None"
	State            string // "Connected" or "Disconnected"
	HasTimes         bool   // the next two are there
	ShellRunTime     time.Duration
	ShellInactivity  time.Duration
	MemoryUsed       string // "4MB"
	ChildProcesses   string
	// Extra holds the elements of a custom shell's own protocol.
	Extra []soap.Fragment
}

// Variable is one environment variable.
type Variable struct{ Name, Value string }

// maxVariables bounds the environment of a shell.
const maxVariables = 4096

// ReadShell reads the body of a Create.
func ReadShell(m *wsman.Message) (*Shell, error) {
	var s *Shell
	err := m.Expect(soap.Shell, "Shell", func(r *soap.Reader) (err error) {
		s, err = DecodeShell(r)
		return err
	})
	return s, err
}

// DecodeShell reads an rsp:Shell at its StartElement.
func DecodeShell(r *soap.Reader) (*Shell, error) {
	s := &Shell{}
	id, _ := r.Attr(soap.None, "ShellId")
	s.IDAttr = string(id)
	if v, ok := r.Attr(soap.None, "Name"); ok {
		s.Name = string(v)
	}
	err := children(r, func() error { return s.child(r) }, func() error {
		if len(s.Extra) >= 16 {
			return r.Skip()
		}
		f, err := r.Outer()
		s.Extra = append(s.Extra, f)
		return err
	})
	return s, err
}

func (s *Shell) child(r *soap.Reader) error {
	var has bool
	switch string(r.Local()) {
	case "Environment":
		return s.environment(r)
	case "WorkingDirectory":
		return str(r, &s.WorkingDirectory)
	case "Lifetime":
		return duration(r, &s.Lifetime, &has)
	case "IdleTimeOut", "IdleTimeout":
		return duration(r, &s.IdleTimeOut, &has)
	case "MaxIdleTimeOut":
		return duration(r, &s.MaxIdleTimeOut, &has)
	case "ShellRunTime":
		return duration(r, &s.ShellRunTime, &s.HasTimes)
	case "ShellInactivity":
		return duration(r, &s.ShellInactivity, &s.HasTimes)
	case "InputStreams":
		return streams(r, &s.InputStreams)
	case "OutputStreams":
		return streams(r, &s.OutputStreams)
	}
	if to := s.field(string(r.Local())); to != nil {
		return trimmed(r, to)
	}
	return r.Skip()
}

// field returns the field of an element that holds plain text.
func (s *Shell) field(name string) *string {
	switch name {
	case "ShellId":
		return &s.ShellID
	case "Name":
		return &s.Name
	case "ResourceUri":
		return &s.ResourceURI
	case "Owner":
		return &s.Owner
	case "ClientIP":
		return &s.ClientIP
	case "ProcessId":
		return &s.ProcessID
	case "Locale":
		return &s.Locale
	case "DataLocale":
		return &s.DataLocale
	case "CompressionMode":
		return &s.CompressionMode
	case "ProfileLoaded":
		return &s.ProfileLoaded
	case "Encoding":
		return &s.Encoding
	case "BufferMode":
		return &s.BufferMode
	case "State":
		return &s.State
	case "MemoryUsed":
		return &s.MemoryUsed
	case "ChildProcesses":
		return &s.ChildProcesses
	}
	return nil
}

func streams(r *soap.Reader, to *[]string) error {
	var s string
	err := trimmed(r, &s)
	*to = streamNames(s)
	return err
}

func (s *Shell) environment(r *soap.Reader) error {
	return children(r, func() error {
		if string(r.Local()) != "Variable" {
			return r.Skip()
		}
		name, _ := r.Attr(soap.None, "Name")
		v := Variable{Name: string(name)}
		switch {
		case v.Name == "" || strings.ContainsAny(v.Name, "=\x00"):
			return badValue("the name of an environment variable is empty or has an equals sign")
		case len(s.Environment) >= maxVariables:
			return badValue("there are too many environment variables")
		}
		if err := str(r, &v.Value); err != nil {
			return err
		}
		s.Environment = append(s.Environment, v)
		return nil
	}, nil)
}

// Namespaces lists what the body needs on the envelope.
func (s *Shell) Namespaces() []soap.NS { return []soap.NS{soap.Shell} }

// WriteBody writes the rsp:Shell. See [MS-WSMV] 2.2.4.37 for the order.
func (s *Shell) WriteBody(w *soap.Writer) error {
	w.Start(soap.Shell, "Shell")
	w.Declare(soap.Shell)
	if s.IDAttr != "" {
		w.Attr(soap.None, "ShellId", s.IDAttr)
	}
	put(w, "ShellId", s.ShellID)
	put(w, "Name", s.Name)
	put(w, "ResourceUri", s.ResourceURI)
	put(w, "Owner", s.Owner)
	put(w, "ClientIP", s.ClientIP)
	put(w, "ProcessId", s.ProcessID)
	if len(s.Environment) > 0 {
		w.Start(soap.Shell, "Environment")
		for _, v := range s.Environment {
			w.Start(soap.Shell, "Variable")
			w.Attr(soap.None, "Name", v.Name)
			w.Text(v.Value)
			w.End()
		}
		w.End()
	}
	put(w, "WorkingDirectory", s.WorkingDirectory)
	putDuration(w, "Lifetime", s.Lifetime)
	putDuration(w, "IdleTimeOut", s.IdleTimeOut)
	put(w, "InputStreams", strings.Join(s.InputStreams, " "))
	put(w, "OutputStreams", strings.Join(s.OutputStreams, " "))
	putDuration(w, "MaxIdleTimeOut", s.MaxIdleTimeOut)
	put(w, "Locale", s.Locale)
	put(w, "DataLocale", s.DataLocale)
	put(w, "CompressionMode", s.CompressionMode)
	put(w, "ProfileLoaded", s.ProfileLoaded)
	put(w, "Encoding", s.Encoding)
	put(w, "BufferMode", s.BufferMode)
	put(w, "State", s.State)
	if s.HasTimes {
		put(w, "ShellRunTime", wsman.FormatInterval(s.ShellRunTime))
		put(w, "ShellInactivity", wsman.FormatInterval(s.ShellInactivity))
	}
	put(w, "MemoryUsed", s.MemoryUsed)
	put(w, "ChildProcesses", s.ChildProcesses)
	for _, f := range s.Extra {
		if err := w.Fragment(f); err != nil {
			return err
		}
	}
	w.End()
	return nil
}

func putDuration(w *soap.Writer, name string, d time.Duration) {
	if d > 0 {
		w.Element(soap.Shell, name, wsman.FormatDuration(d))
	}
}

// exitCode reads an exit code: Windows writes it unsigned or signed, an
// HRESULT as either.
func exitCode(s string) (uint32, bool) {
	if v, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(v), true
	}
	v, err := strconv.ParseInt(s, 10, 32)
	return uint32(v), err == nil
}
