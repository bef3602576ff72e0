package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// The namespace is there and opens for the account.
func init() {
	register(check{id: "wmi.namespace", layer: LayerNamespace, title: "The namespace opens", transport: "dcom", needs: []string{"dcom.call"}, run: wmiNamespace})
}

// namespace is the one whose rights are asked.
func (t Target) namespace() string {
	if t.Namespace == "" {
		return `root\cimv2`
	}
	return strings.ReplaceAll(t.Namespace, "/", `\`)
}

func wmiNamespace(ctx context.Context, x *examination) found {
	start := time.Now()
	s, code, err := x.open(ctx, x.dcom.client, x.target.namespace())
	if err == nil {
		x.dcom.session = s
		x.dcom.who(ctx, x)
		after := took(time.Since(start))
		x.note("dcom", fmt.Sprintf("activation and login to %s, %s", x.target.namespace(), after))
		return found{detail: fmt.Sprintf("%s opens after %s", x.target.namespace(), after)}
	}
	f := found{outcome: Fail, code: codeText(code), name: nameOfCode(code), detail: "the login to " + x.target.namespace() + " fails", seen: errorSeen(err)}
	switch status := cim.Status(code); {
	case status == cim.ErrInvalidNamespace:
		f.detail = "the host has no namespace " + x.target.namespace()
		f.seen = append(f.seen, x.namespaces(ctx))
	case status == cim.ErrAccessDenied || deniedByDCOM(code):
		f.detail = "the login to " + x.target.namespace() + " is refused"
		f.seen = append(f.seen, x.higher(ctx), x.others(ctx))
	}
	f.seen = compact(f.seen)
	return f
}

// open logs in. The code is the host's own word where it answered.
func (x *examination) open(ctx context.Context, c *wmiclient.Client, namespace string) (*wmiclient.Session, uint32, error) {
	var said uint32
	traced := wmiclient.WithTrace(ctx, &wmiclient.Trace{Called: func(method string, result uint32, _ time.Duration, err error) {
		if strings.HasSuffix(method, "::NTLMLogin") && err == nil {
			said = result
		}
	}})
	s, err := c.Open(traced, cim.Caller{}, namespace, cim.OpenOptions{})
	if err != nil {
		if said == 0 {
			said = hresultOf(err)
		}
		return nil, said, err
	}
	return s.(*wmiclient.Session), 0, nil
}

// higher finds out whether more protection helps.
func (x *examination) higher(ctx context.Context) string {
	if x.options.level() >= wmi.AuthenticationPktPrivacy {
		return ""
	}
	c, err := wmiclient.New(x.target.Name, wmiclient.Options{
		Credentials: x.options.Credentials, Tickets: x.options.Tickets, Port: x.target.ResolverPort, NTLM: x.options.NTLM, DialContext: x.dialDCOM, Logger: x.log,
	})
	if err != nil {
		return ""
	}
	x.atEnd(func() { c.Close() }) //nolint:errcheck // what is held ends with the connection
	s, code, err := x.open(ctx, c, x.target.namespace())
	if err != nil {
		return "at packet privacy: " + codeText(code)
	}
	s.Close() //nolint:errcheck // nothing is under way
	x.dcom.encrypted = true
	return "at packet privacy it opens"
}

// others tells whether another namespace opens.
func (x *examination) others(ctx context.Context) string {
	const other = "root"
	s, code, err := x.open(ctx, x.dcom.client, other)
	if err != nil {
		return other + ": " + codeText(code)
	}
	s.Close() //nolint:errcheck // nothing is under way
	return other + " opens"
}

// namespaces lists what is below root.
func (x *examination) namespaces(ctx context.Context) string {
	s, code, err := x.open(ctx, x.dcom.client, "root")
	if err != nil {
		return "root: " + codeText(code)
	}
	defer s.Close() //nolint:errcheck // nothing is under way
	var names []string
	err = query(ctx, s, "SELECT Name FROM __NAMESPACE", func(i *cim.Instance) {
		if name, ok := i.Get("Name").Str(); ok && len(names) < maxSeen {
			names = append(names, name)
		}
	})
	if err != nil {
		return "the namespaces below root cannot be listed: " + err.Error()
	}
	return "below root are: " + strings.Join(names, ", ")
}

// maxRows bounds what is read of an answer.
const maxRows = 4096

// query gives each row of an answer.
func query(ctx context.Context, s cim.Session, wql string, f func(*cim.Instance)) error {
	e, err := s.Query(ctx, wql, cim.QueryOptions{})
	if err != nil {
		return err
	}
	defer e.Close() //nolint:errcheck // what was read counts
	rows := 0
	return cim.Each(ctx, e, func(i *cim.Instance) error {
		if rows++; rows > maxRows {
			return fmt.Errorf("more than %d rows", maxRows)
		}
		f(i)
		return nil
	})
}

// Numbers of Win32_OperatingSystem.OSType.
const (
	osLinux   = 36
	osWindows = 18
)

// who asks the machine what it is. Who may not ask does without.
func (d *dcomPath) who(ctx context.Context, x *examination) {
	if !strings.EqualFold(x.target.namespace(), `root\cimv2`) {
		return
	}
	err := query(ctx, d.session, "SELECT Caption, Version, OSType FROM Win32_OperatingSystem", func(i *cim.Instance) {
		h := hostFacts{}
		h.os, _ = i.Get("Caption").Str()
		h.version, _ = i.Get("Version").Str()
		switch n, _ := i.Get("OSType").Uint(); n {
		case osWindows:
			h.kind = windowsHost
		case osLinux:
			h.kind = casementHost // the only one that serves WMI over DCOM
		}
		x.told(h)
	})
	if err != nil {
		x.log.Debug("the doctor does not learn the system", "error", err)
	}
}

// compact leaves out what is empty.
func compact(list []string) (out []string) {
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
