package cimom

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// hosting is a value of HostingModel, taken apart.
type hosting struct {
	model string // the first component, as it is documented
	group string // of the processes that share a host; "" for the default one
}

// hostingModels are the models that a registration may name, with whether a
// group may follow. See spec/wmi.md 6.2.
var hostingModels = []struct {
	name  string
	group bool
	// number is HostingSpecification: the place in the list of the page of
	// Msft_Providers [K: numbered from 0]; it does not have them all.
	number int
}{
	{"SelfHost", false, 2},
	{"Decoupled:Com", false, 3},
	{"Decoupled:NonCom", false, 4},
	{"LocalSystemHost", true, 5},
	{"LocalSystemHostOrSelfHost", true, 6},
	{"NetworkServiceHost", true, 7},
	{"NetworkServiceHostOrSelfHost", true, -1},
	{"LocalServiceHost", true, 8},
}

// builtinHosting is the model of the providers in the service.
const builtinHosting = "LocalSystemHost"

// specification is HostingSpecification, NULL where the model has no number.
func (h hosting) specification() cim.Value {
	for _, m := range hostingModels {
		if m.name == h.model && m.number >= 0 {
			return cim.U32(uint32(m.number)) // #nosec G115 -- of the table
		}
	}
	return cim.Null(cim.Uint32)
}

// HostingModel is where the provider of a __Win32Provider instance runs: its
// HostingModel, or the default where that is NULL. See spec/wmi.md 6.2.
func HostingModel(registration *cim.Instance) string {
	if model, ok := registration.Get("HostingModel").Str(); ok && model != "" {
		return model
	}
	return "NetworkServiceHostOrSelfHost"
}

// hostingOf takes the HostingModel of a registration apart. One that is none
// fails with ErrInvalidProviderRegistration, as its page says; the models of
// components of the system with ErrAccessDenied, as the page of MSFT_Providers
// says.
func hostingOf(registration *cim.Instance) (hosting, error) {
	text := HostingModel(registration)
	bad := func(status cim.Status, why string) (hosting, error) {
		return hosting{}, &cim.Error{Status: status, Path: "__Win32Provider.HostingModel", Detail: why}
	}
	if cim.EqualFold(text, "WmiCore") || cim.EqualFold(text, "WmiCoreOrSelfHost") {
		return bad(cim.ErrAccessDenied, text+" is for components of the system")
	}
	for _, m := range hostingModels {
		if len(text) < len(m.name) || !cim.EqualFold(text[:len(m.name)], m.name) {
			continue
		}
		rest, more := strings.CutPrefix(text[len(m.name):], ":")
		switch {
		case rest == "" && !more:
			return hosting{model: m.name}, nil
		case more && m.group && rest != "" && !strings.Contains(rest, ":"):
			return hosting{m.name, rest}, nil
		case more && m.name == "Decoupled:Com" && (cim.EqualFold(rest, "FoldIdentity(TRUE)") || cim.EqualFold(rest, "FoldIdentity(FALSE)")):
			return hosting{model: m.name}, nil
		}
	}
	return bad(cim.ErrInvalidProviderRegistration, "there is no hosting model "+text)
}
