package settings

import (
	"slices"
	"strings"

	"github.com/casementhq/casement/registry"
)

// CreateListener checks a Create and returns the new listener and its registry changes.
// A MAC or IP that the host does not have, a duplicate, a read-only property and a
// certificate that does not fit are *Error. See [MS-WSMV] 3.1.4.1.29.5.
func CreateListener(r Reader, w *WinRM, h Host, selectors, body []NameValue) (Listener, []Change, error) {
	l, err := selectListener(selectors)
	if err != nil {
		return l, nil, err
	}
	if err := onHost(l, h); err != nil {
		return l, nil, err
	}
	others, _ := Listeners(r, w)
	if slices.ContainsFunc(others, l.is) || slices.ContainsFunc(r.Keys(KeyListener), func(n string) bool {
		return strings.EqualFold(n, l.Address+"+"+l.Transport)
	}) {
		return l, nil, fail(CodeAlreadyExists, "Listener", "a listener for %s and %s exists", l.Address, l.Transport)
	}
	l.Port = w.defaultPort(l.Transport)
	return l.finish(h, others, body)
}

// PutListener checks a Put and returns the changed listener and its registry changes.
// An unknown listener, one of Group Policy, another key and a ListeningOn element are
// *Error. Properties that the body leaves out keep their value.
func PutListener(r Reader, w *WinRM, h Host, selectors, body []NameValue) (Listener, []Change, error) {
	l, others, err := findListener(r, w, selectors)
	if err != nil {
		return l, nil, err
	}
	l.Source = registry.SourceHive
	return l.finish(h, others, body)
}

// DeleteListener returns the registry changes that remove a listener.
func DeleteListener(r Reader, w *WinRM, selectors []NameValue) ([]Change, error) {
	l, _, err := findListener(r, w, selectors)
	if err != nil {
		return nil, err
	}
	return []Change{{Key: l.key(), DeleteKey: true}}, nil
}

// FindListener returns the listener that the selectors Address and Transport name.
func FindListener(r Reader, w *WinRM, selectors []NameValue) (Listener, error) {
	want, err := selectListener(selectors)
	if err != nil {
		return want, err
	}
	all, _ := Listeners(r, w)
	if i := slices.IndexFunc(all, want.is); i >= 0 {
		return all[i], nil
	}
	return want, fail(CodeResourceNotFound, "Listener", "no listener for %s and %s", want.Address, want.Transport)
}

// findListener is FindListener for a write; it returns the other listeners too.
func findListener(r Reader, w *WinRM, selectors []NameValue) (Listener, []Listener, error) {
	l, err := FindListener(r, w, selectors)
	if err != nil {
		return l, nil, err
	}
	if l.Source == registry.SourceGPO {
		return l, nil, fail(CodeGPOControlled, "Listener", "Group Policy makes this listener")
	}
	all, _ := Listeners(r, w)
	return l, slices.DeleteFunc(all, l.is), nil
}

func selectListener(selectors []NameValue) (Listener, error) {
	var address, transport string
	for _, s := range selectors {
		switch {
		case strings.EqualFold(s.Name, "Address") && address == "":
			address = s.Value
		case strings.EqualFold(s.Name, "Transport") && transport == "":
			transport = s.Value
		default:
			return Listener{}, fail(CodeUnexpectedSelectors, "Listener", "selector %q; want Address and Transport", clip(s.Name))
		}
	}
	if address == "" || transport == "" {
		return Listener{}, fail(CodeUnexpectedSelectors, "Listener", "the selectors Address and Transport are both needed")
	}
	l, err := newListener(address, transport)
	if err != nil {
		return l, err
	}
	return l, nil
}

func onHost(l Listener, h Host) error {
	kind, mac, _ := strings.Cut(l.Address, ":")
	if kind == "*" || len(h.addrs(l.Address)) > 0 {
		return nil
	}
	if kind == "IP" {
		return fail(CodeListenerAddress, "Address", "this machine has no address %s", mac)
	}
	for _, i := range h.Interfaces {
		if strings.EqualFold(macText(i.MAC), mac) {
			return fail(CodeNoUnicastAddress, "Address", "the interface %s has no address", mac)
		}
	}
	return fail(CodeUnknownMAC, "Address", "this machine has no interface %s", mac)
}

// finish puts a body into the listener, checks the whole and makes the changes.
func (l Listener) finish(h Host, others []Listener, body []NameValue) (Listener, []Change, error) {
	seen := make(map[string]bool, len(body))
	for _, f := range body {
		if seen[f.Name] && f.Name != "ListeningOn" {
			return l, nil, schemaErr(clip(f.Name), "given twice")
		}
		seen[f.Name] = true
		if f.Nil && f.Name != "Hostname" && f.Name != "CertificateThumbprint" {
			return l, nil, schemaErr(clip(f.Name), "null is not a value of this property")
		}
		if err := l.set(f.Name, f.Value); err != nil {
			return l, nil, err
		}
	}
	if err := l.bindCertificate(h); err != nil {
		return l, nil, err
	}
	for _, o := range others {
		if o.Port != l.Port || o.Transport != "HTTPS" && l.Transport != "HTTPS" {
			continue
		}
		if o.Transport != l.Transport || o.CertificateThumbprint != l.CertificateThumbprint {
			return l, nil, fail(CodeSSLConfigShared, "Port", "port %d already has another transport or certificate", l.Port)
		}
	}
	l.Source = registry.SourceHive
	k := l.key()
	return l, []Change{
		{Key: k, Name: "Port", Value: registry.DWORD(l.Port)},
		{Key: k, Name: "Hostname", Value: registry.SZ(l.Hostname)},
		{Key: k, Name: "Enabled", Value: dwordBool(l.Enabled)},
		{Key: k, Name: "URLPrefix", Value: registry.SZ(l.URLPrefix)},
		{Key: k, Name: "CertificateThumbprint", Value: registry.SZ(l.CertificateThumbprint)},
	}, nil
}

// bindCertificate checks the certificate of an HTTPS listener, or finds the one for its
// host name.
func (l *Listener) bindCertificate(h Host) error {
	const name = "CertificateThumbprint"
	if l.Transport == "HTTP" {
		if l.CertificateThumbprint != "" {
			return fail(CodeThumbprintNotEmpty, name, "an HTTP listener has no certificate; leave it blank")
		}
		return nil
	}
	if l.Hostname == "" {
		l.Hostname = h.Name
	}
	if l.CertificateThumbprint == "" {
		for _, c := range h.Certificates {
			if c.ServerAuth && c.names(l.Hostname) {
				l.CertificateThumbprint = strings.ToUpper(c.Thumbprint)
				return nil
			}
		}
		return fail(CodeCertNotFound, name, "no certificate for %q in the machine's store; name one by its thumbprint", l.Hostname)
	}
	i := slices.IndexFunc(h.Certificates, func(c Certificate) bool {
		return strings.EqualFold(c.Thumbprint, l.CertificateThumbprint)
	})
	switch {
	case i < 0:
		return fail(CodeCertNotFound, name, "the machine's store has no such certificate")
	case !h.Certificates[i].ServerAuth:
		return fail(CodeCertUsage, name, "the certificate may not authenticate servers")
	case !h.Certificates[i].names(l.Hostname):
		return fail(CodeCertNameMismatch, name, "the certificate is not for %q", l.Hostname)
	}
	return nil
}
