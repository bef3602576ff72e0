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

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/gpedit"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

// act is a command that is carried out over the protocols alone: no program of the
// machine is run for it.
type act interface {
	do(ctx context.Context, c *casement.Connection) error
}

// ownPrefix begins the commands of a Casement host.
const ownPrefix = "casement "

// native reads a command that can be carried out so over WinRM, or else over DCOM;
// nil where a program of the machine has to run.
func native(line string, winrm bool) act {
	line, own := strings.CutPrefix(line, ownPrefix)
	if s, ok := parseWinrmSet(line); ok {
		switch {
		case winrm:
			return s
		case own:
			return inRegistry{s}
		}
		return nil
	}
	if v, ok := parseRegAdd(line); ok {
		return v
	}
	if v, ok := parseRegDelete(line); ok {
		return v
	}
	if !own {
		return nil
	}
	if m := firewallLine.FindStringSubmatch(line); m != nil {
		return firewallGroup{method: map[string]string{"enable": "Enable", "disable": "Disable"}[m[1]], name: m[2]}
	}
	if m := policyLine.FindStringSubmatch(line); m != nil {
		if p, err := gpedit.Find(m[1]); err == nil && p.Value != "" {
			return unsetPolicy{p}
		}
	}
	return nil
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

// do writes the setting alone; what else stands in the resource stays.
func (s winrmSetting) do(ctx context.Context, c *casement.Connection) error {
	target := wsman.EPR{ResourceURI: wsman.ResourceConfig + strings.TrimPrefix(s.resource, "winrm/config")}
	doc, err := c.Client().Get(ctx, target, nil)
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
	_, err = c.Client().Put(ctx, target, b.Bytes(), nil)
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

// inRegistry is a setting that is written where the service keeps it, for a machine
// that WinRM does not let in.
type inRegistry struct{ winrmSetting }

func (s inRegistry) do(ctx context.Context, c *casement.Connection) error {
	uri := settings.URIConfig + strings.TrimPrefix(s.resource, "winrm/config")
	changes, err := settings.LoadSnapshot(registry.NewTree()).WinRM.Validate(uri, []settings.NameValue{{Name: s.name, Value: s.value}})
	if err != nil {
		return err
	}
	for _, change := range changes {
		v := regValue{key: strings.TrimPrefix(change.Key, `HKLM\`), name: change.Name, kind: change.Value.Type().String(), value: change.Value.String()}
		if err := v.do(ctx, c); err != nil {
			return err
		}
	}
	return nil
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

func (v regValue) do(ctx context.Context, c *casement.Connection) error {
	r, err := openStdRegProv(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // what matters was done
	if _, err := r.call(ctx, "CreateKey", v.key, ""); err != nil {
		return err
	}
	if v.kind == "REG_SZ" {
		_, err = r.call(ctx, "SetStringValue", v.key, v.name, cim.NamedValue{Name: "sValue", Value: cim.Str(v.value)})
		return err
	}
	n, err := strconv.ParseUint(v.value, 0, 32)
	if v.kind != "REG_DWORD" || err != nil {
		return fmt.Errorf("%s is no DWORD", v.value)
	}
	_, err = r.call(ctx, "SetDWORDValue", v.key, v.name, cim.NamedValue{Name: "uValue", Value: cim.U32(uint32(n))})
	return err
}

// noValue is "reg delete KEY /v NAME /f".
type noValue struct{ key, name string }

var regDeleteLine = regexp.MustCompile(`^reg delete ["']?HKLM\\([^"'/]+?)["']? /v ([A-Za-z0-9_]+) /f$`)

func parseRegDelete(line string) (noValue, bool) {
	m := regDeleteLine.FindStringSubmatch(line)
	if m == nil {
		return noValue{}, false
	}
	return noValue{m[1], m[2]}, true
}

func (v noValue) do(ctx context.Context, c *casement.Connection) error {
	r, err := openStdRegProv(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // what matters was done
	_, err = r.call(ctx, "DeleteValue", v.key, v.name)
	return err
}

// unsetPolicy is "gpedit clear POLICY": the policy's values go.
type unsetPolicy struct{ *gpedit.Policy }

var policyLine = regexp.MustCompile(`^gpedit clear '([^']+)'$`)

func (p unsetPolicy) do(ctx context.Context, c *casement.Connection) error {
	r, err := openStdRegProv(ctx, c)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // what matters was done
	names := []string{p.Value}
	for _, o := range p.Options {
		if o.Key == "" {
			names = append(names, o.Value)
		}
	}
	for _, name := range names {
		if there, err := r.call(ctx, "DeleteValue", p.Key, name); there && err != nil {
			return err
		}
	}
	return nil
}

// firewallGroup is "firewall enable GROUP" or "firewall disable GROUP".
type firewallGroup struct{ method, name string }

var firewallLine = regexp.MustCompile(`^firewall (enable|disable) ["']([^"']+)["']$`)

func (g firewallGroup) do(ctx context.Context, c *casement.Connection) error {
	s, err := c.Session(ctx, `root\standardcimv2`)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what matters was done
	rows, err := s.Query(ctx, "SELECT * FROM MSFT_NetFirewallRule WHERE DisplayGroup = '"+g.name+"'", cim.QueryOptions{})
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // what matters was read
	var rules []cim.ObjectPath
	for {
		some, err := rows.Next(ctx, 0)
		for _, i := range some {
			p := cim.ObjectPath{Class: "MSFT_NetFirewallRule"}
			for _, key := range []string{"CreationClassName", "PolicyRuleName", "SystemCreationClassName", "SystemName"} {
				p.Keys = append(p.Keys, cim.Key{Name: key, Value: cim.Str(text(i, key))})
			}
			rules = append(rules, p)
		}
		if len(rules) > maxGroup {
			return fmt.Errorf("the group %s has more than %d rules", g.name, maxGroup)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if len(rules) == 0 {
		return fmt.Errorf("there is no rule of the group %s", g.name)
	}
	for _, path := range rules {
		r, err := s.Invoke(ctx, path, g.method, nil, cim.OperationOptions{})
		if err != nil {
			return err
		}
		if err := returned(g.method, r); err != nil {
			return err
		}
	}
	return nil
}

// maxGroup bounds how many rules a host may say a group has.
const maxGroup = 200

// stdRegProv is the registry of a host.
type stdRegProv struct{ cim.Session }

func openStdRegProv(ctx context.Context, c *casement.Connection) (stdRegProv, error) {
	s, err := c.Session(ctx, `root\default`)
	return stdRegProv{s}, err
}

// call runs a method about a key, or a value of it; there is false where that is not.
func (r stdRegProv) call(ctx context.Context, method, key, name string, more ...cim.NamedValue) (there bool, err error) {
	in := cim.Arguments{{Name: "hDefKey", Value: cim.U32(hklm)}, {Name: "sSubKeyName", Value: cim.Str(key)}}
	if name != "" {
		in = append(in, cim.NamedValue{Name: "sValueName", Value: cim.Str(name)})
	}
	result, err := r.Invoke(ctx, cim.ObjectPath{Class: "StdRegProv"}, method, append(in, more...), cim.OperationOptions{})
	if err != nil {
		return true, err
	}
	n, _ := result.ReturnValue.Uint()
	return n != errorFileNotFound, returned(method, result)
}

// errorFileNotFound is what the methods of StdRegProv give for what is not there.
const errorFileNotFound = 2

// returned is the error of a method that gives other than 0.
func returned(method string, r cim.Result) error {
	if n, ok := r.ReturnValue.Uint(); ok && n != 0 {
		return fmt.Errorf("%s gave %d (0x%08X)", method, n, n)
	}
	return nil
}
