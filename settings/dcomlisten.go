package settings

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/casementhq/casement/registry"
)

// Names of the values below KeyCasement.
const (
	dcomAddress  = "DCOMAddress"
	dcomBindings = "DCOMBindings"
)

// maxBindings bounds DCOMBindings.
const maxBindings = 64

// SetDCOMAddress is the change that makes WMI over DCOM listen on an address: an
// IP address, or * for all. Anything else is an *Error with
// CodeListenerAddress.
func SetDCOMAddress(address string) (Change, error) {
	address, err := checkDCOMAddress(address)
	if err != nil {
		return Change{}, fail(CodeListenerAddress, dcomAddress, "%q %v", clip(address), err)
	}
	return Change{Key: KeyCasement, Name: dcomAddress, Value: registry.SZ(address)}, nil
}

func checkDCOMAddress(text string) (string, error) {
	if text == "*" || text == "" {
		return text, nil
	}
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return text, errors.New("is neither an IP address nor *")
	case a.IsUnspecified():
		return "*", nil
	}
	return a.String(), nil
}

func (d *DCOM) loadListening(r Reader) []Problem {
	var bad []Problem
	if v, src, ok := r.Value(KeyCasement, dcomAddress); ok {
		text, isText := v.Text()
		address, err := checkDCOMAddress(text)
		if !isText || err != nil {
			bad = append(bad, problem(dcomAddress, KeyCasement, dcomAddress, src, "want the REG_SZ of an IP address, or *; DCOM is not served"))
			address = ""
		}
		d.Address = address
	}
	if v, src, ok := r.Value(KeyCasement, dcomBindings); ok {
		list, isList := v.Strings()
		for _, b := range list {
			isList = isList && isBinding(b)
		}
		if !isList || len(list) > maxBindings {
			return append(bad, problem(dcomBindings, KeyCasement, dcomBindings, src, "want a REG_MULTI_SZ of at most %d host names and IP addresses, without ports", maxBindings))
		}
		d.Bindings = list
	}
	return bad
}

// isBinding accepts the name or the address of a host.
func isBinding(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && len(s) <= 255 && strings.IndexFunc(s, func(r rune) bool {
		return r > 0x7F || !isAlnum(byte(r)) && r != '.' && r != '-' && r != '_'
	}) < 0
}
