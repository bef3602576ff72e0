package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Over carries commands out over a connection: settings of WinRM and values of
// the registry as such, which needs no shell; everything else in a shell, and over
// DCOM as a process.
func Over(c *casement.Connection) Runner { return over{c} }

type over struct{ *casement.Connection }

// Run implements Runner.
func (o over) Run(ctx context.Context, line string) error {
	line = strings.TrimPrefix(line, "casement ")
	if s, ok := parseWinrmSet(line); ok && o.Client() != nil {
		return s.put(ctx, o.Client())
	}
	if v, ok := parseRegAdd(line); ok {
		return v.put(ctx, o.Connection)
	}
	if o.Client() != nil {
		return runShell(ctx, o.Connection, line)
	}
	return runProcess(ctx, o.Connection, line)
}

// native tells whether a command is a setting or a value, for which no program
// of the machine is run.
func native(line string) bool {
	line = strings.TrimPrefix(line, "casement ")
	_, set := parseWinrmSet(line)
	_, add := parseRegAdd(line)
	return set || add
}

// winrmSetting is "winrm set winrm/config/… @{Name="value"}".
type winrmSetting struct{ resource, name, value string }

var winrmSetLine = regexp.MustCompile(`^winrm set (winrm/config(?:/[a-z]+)*) '?@\{([A-Za-z0-9]+)="([^"]*)"\}'?$`)

func parseWinrmSet(line string) (winrmSetting, bool) {
	m := winrmSetLine.FindStringSubmatch(line)
	if m == nil {
		return winrmSetting{}, false
	}
	return winrmSetting{m[1], m[2], m[3]}, true
}

// put writes the setting alone; what else stands in the resource stays.
func (s winrmSetting) put(ctx context.Context, c *wsmanclient.Client) error {
	target := wsman.EPR{ResourceURI: wsman.ResourceConfig + strings.TrimPrefix(s.resource, "winrm/config")}
	doc, err := c.Get(ctx, target, nil)
	if err != nil {
		return err
	}
	root, namespace, err := rootOf(doc)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<cfg:%s xmlns:cfg="%s"><cfg:%s>`, root, namespace, s.name)
	if err := xml.EscapeText(&b, []byte(s.value)); err != nil {
		return err
	}
	fmt.Fprintf(&b, `</cfg:%s></cfg:%s>`, s.name, root)
	_, err = c.Put(ctx, target, b.Bytes(), nil)
	return err
}

// rootOf names the element that a document is.
func rootOf(doc []byte) (name, namespace string, err error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		t, err := d.Token()
		if err != nil {
			return "", "", fmt.Errorf("the configuration that came cannot be read: %w", err)
		}
		if s, ok := t.(xml.StartElement); ok {
			return s.Name.Local, s.Name.Space, nil
		}
	}
}

// regValue is "reg add KEY /v NAME /t TYPE /d VALUE /f".
type regValue struct{ key, name, kind, value string }

var regAddLine = regexp.MustCompile(`^reg add ["']?HKLM\\([^"'/]+?)["']? /v ([A-Za-z0-9_]+) /t (REG_DWORD|REG_SZ) /d ([A-Za-z0-9_.-]+) /f$`)

func parseRegAdd(line string) (regValue, bool) {
	m := regAddLine.FindStringSubmatch(line)
	if m == nil {
		return regValue{}, false
	}
	return regValue{m[1], m[2], m[3], m[4]}, true
}

// put writes it by StdRegProv.
func (v regValue) put(ctx context.Context, c *casement.Connection) error {
	s, err := c.Session(ctx, `root\default`)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what matters was done
	in := cim.Arguments{{Name: "hDefKey", Value: cim.U32(hklm)}, {Name: "sSubKeyName", Value: cim.Str(v.key)}, {Name: "sValueName", Value: cim.Str(v.name)}}
	class := cim.ObjectPath{Class: "StdRegProv"}
	if r, err := s.Invoke(ctx, class, "CreateKey", in[:2], cim.OperationOptions{}); err != nil {
		return err
	} else if err := returned("CreateKey", r); err != nil {
		return err
	}
	method := "SetStringValue"
	if v.kind == "REG_DWORD" {
		n, err := strconv.ParseUint(v.value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s is no DWORD", v.value)
		}
		method, in = "SetDWORDValue", append(in, cim.NamedValue{Name: "uValue", Value: cim.U32(uint32(n))})
	} else {
		in = append(in, cim.NamedValue{Name: "sValue", Value: cim.Str(v.value)})
	}
	r, err := s.Invoke(ctx, class, method, in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	return returned(method, r)
}

// returned is the error of a method that gives other than 0.
func returned(method string, r cim.Result) error {
	if n, ok := r.ReturnValue.Uint(); ok && n != 0 {
		return fmt.Errorf("%s gave %d (0x%08X)", method, n, n)
	}
	return nil
}

// maxOutput bounds what is kept of a command's output.
const maxOutput = 4 << 10

// tail keeps the end of what is written.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-maxOutput):]
	return len(b), nil
}

// runShell runs a line in a shell over WinRM.
func runShell(ctx context.Context, c *casement.Connection, line string) error {
	shell, err := c.Shell(ctx, wsmanclient.ShellOptions{CodePage: 65001})
	if err != nil {
		return err
	}
	defer shell.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it ends by itself, too
	out := &tail{}
	code, err := shell.Run(ctx, wsmanclient.CommandOptions{Command: line, Stdout: out, Stderr: out}, nil)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit code %d: %s", int32(code), clean(strings.TrimSpace(string(out.b)))) //nolint:gosec // as Windows shows it
	}
	return nil
}

// processWait is how long a process that was started over DCOM is waited for.
const processWait = 30 * time.Second

// runProcess starts a line as a process over DCOM, and waits for its end. Its
// exit code is not told: whether it helped shows when the check runs again.
func runProcess(ctx context.Context, c *casement.Connection, line string) error {
	s, err := c.Session(ctx, `root\cimv2`)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what matters was done
	in := cim.Arguments{{Name: "CommandLine", Value: cim.Str("cmd.exe /c " + line)}}
	r, err := s.Invoke(ctx, cim.ObjectPath{Class: "Win32_Process"}, "Create", in, cim.OperationOptions{})
	if err != nil {
		return err
	}
	if err := returned("Win32_Process.Create", r); err != nil {
		return err
	}
	id, _ := r.Out.Get("ProcessId").Uint()
	ctx, cancel := context.WithTimeout(ctx, processWait)
	defer cancel()
	for {
		rows, err := s.Query(ctx, fmt.Sprintf("SELECT ProcessId FROM Win32_Process WHERE ProcessId = %d", id), cim.QueryOptions{})
		if err != nil {
			return err
		}
		some, err := rows.Next(ctx, 1)
		running := len(some) > 0
		rows.Close() //nolint:errcheck // what matters was read
		switch {
		case running:
		case err == nil || errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("process %d has not ended in %s", id, processWait)
		}
	}
}
