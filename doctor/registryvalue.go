package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// hklm is HKEY_LOCAL_MACHINE, as StdRegProv has it.
const hklm = 0x80000002

// registryValue is a number in a value of HKEY_LOCAL_MACHINE, be it a REG_DWORD or
// the text of a REG_SZ.
type registryValue struct {
	set    bool
	number uint64
	text   string
}

// is tells whether the value holds a number; what is not set is 0.
func (v registryValue) is(n uint64) bool { return v.number == n }

// String says what stands there.
func (v registryValue) String() string {
	switch {
	case !v.set:
		return "not set"
	case v.text != "":
		return v.text
	}
	return strconv.FormatUint(v.number, 10)
}

// registryNotFound is what StdRegProv answers for a key or value that is not there.
const registryNotFound = 2

// registry asks the host's StdRegProv.
func (x *examination) registry(ctx context.Context, key, name string) (registryValue, error) {
	s, err := x.system(ctx)
	if err != nil {
		return registryValue{}, err
	}
	in := cim.Arguments{{Name: "hDefKey", Value: cim.U32(hklm)}, {Name: "sSubKeyName", Value: cim.Str(key)}, {Name: "sValueName", Value: cim.Str(name)}}
	ask := func(method string) (cim.Result, uint64, error) {
		r, err := s.Invoke(ctx, cim.ObjectPath{Class: "StdRegProv"}, method, in, cim.OperationOptions{})
		if err != nil {
			return r, 0, err
		}
		code, ok := r.ReturnValue.Uint()
		if !ok {
			return r, 0, errors.New("StdRegProv gives no result")
		}
		return r, code, nil
	}
	r, code, err := ask("GetDWORDValue")
	if err != nil {
		return registryValue{}, err
	}
	if code == 0 {
		n, _ := r.Out.Get("uValue").Uint()
		return registryValue{set: true, number: n}, nil
	}
	if code == registryNotFound {
		return registryValue{}, nil
	}
	if r, code, err = ask("GetStringValue"); err != nil {
		return registryValue{}, err
	}
	if code != 0 {
		return registryValue{}, fmt.Errorf("StdRegProv answers %d for %s", code, name)
	}
	text, _ := r.Out.Get("sValue").Str()
	n, _ := strconv.ParseUint(strings.TrimSpace(text), 10, 32) // what is no number is 0, as Windows takes it
	return registryValue{set: true, number: n, text: text}, nil
}

// errNobody is why nothing is asked of the host.
var errNobody = errors.New("neither transport can ask for it")

// system is a session in root\cimv2, where StdRegProv and the classes of Win32
// are: over DCOM, or over WinRM where that alone works.
func (x *examination) system(ctx context.Context) (cim.Session, error) {
	if x.dcom.session == nil {
		if x.winrm.signed == nil || x.winrm.signed.client == nil || x.winrm.signed.err != nil || x.winrm.denied != nil {
			return nil, errNobody
		}
		s := x.winrm.signed.client.Session(`root\cimv2`)
		x.atEnd(func() { s.Close() }) //nolint:errcheck // nothing is under way
		return s, nil
	}
	if strings.EqualFold(x.target.namespace(), `root\cimv2`) {
		return x.dcom.session, nil
	}
	s, _, err := x.open(ctx, x.dcom.client, `root\cimv2`)
	if err != nil {
		return nil, err
	}
	x.atEnd(func() { s.Close() }) //nolint:errcheck // nothing is under way
	return s, nil
}
