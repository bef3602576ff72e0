package service

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// administrator is the RID of the built-in Administrator.
const administrator = 500

// BootstrapOptions say what Bootstrap makes of a state folder.
type BootstrapOptions struct {
	// HTTP and HTTPS are the addresses to listen on, host:port; port 0 takes a
	// free one. Empty: 127.0.0.1 with the default port, or a free one where
	// that is taken; only in a folder that has no listener yet.
	HTTP, HTTPS string
	// Listen are more addresses, IP literals, each for both transports on the
	// default ports. 0.0.0.0 and :: stand for all.
	Listen []string
}

// Bootstrapped is what Bootstrap did and what a person needs to know of it.
type Bootstrapped struct {
	User        string // the built-in Administrator
	Password    string // only when it was set just now
	HTTP, HTTPS string // URLs on which this machine answers, "" for none
	Thumbprint  string // SHA-256 of the HTTPS certificate, lower-case hexadecimal
}

// Bootstrap makes a state folder serve: an administrator with a password, a
// certificate, listeners. What is there already stays as it is.
func (s *State) Bootstrap(o BootstrapOptions) (Bootstrapped, error) {
	var b Bootstrapped
	if err := s.bootstrapAdministrator(&b); err != nil {
		return b, err
	}
	print, err := s.bootstrapCertificate()
	if err != nil {
		return b, err
	}
	if err := s.bootstrapListeners(o, print); err != nil {
		return b, err
	}
	b.HTTP, b.HTTPS, b.Thumbprint = s.URLs()
	return b, nil
}

func (s *State) bootstrapAdministrator(b *Bootstrapped) error {
	users, err := s.Accounts.Users()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(users, func(u accounts.User) bool { return u.RID == administrator })
	if i < 0 {
		return errors.New("the state has no built-in Administrator")
	}
	b.User = users[i].Name
	if !users[i].PasswordSet.IsZero() {
		return nil
	}
	password, err := NewPassword()
	if err != nil {
		return err
	}
	if err := s.Accounts.SetPassword(b.User, password); err != nil {
		return err
	}
	b.Password = password
	return nil
}

// NewPassword is a random password of 120 bits that is easy to paste: four
// groups of letters and digits, with a sign, capitals and small letters.
func NewPassword() (string, error) {
	raw := make([]byte, 15)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	text := base32.StdEncoding.EncodeToString(raw)
	return strings.Join([]string{text[:6], strings.ToLower(text[6:12]), text[12:18], strings.ToLower(text[18:24])}, "-"), nil
}

// bootstrapCertificate returns the thumbprint of a certificate for this
// machine, which signs one itself where it has none.
func (s *State) bootstrapCertificate() (string, error) {
	for _, c := range s.Certificates.Usable(time.Now()) {
		if c.ServerAuth {
			return c.Thumbprint, nil
		}
	}
	names := []string{hostName()}
	if names[0] != "localhost" {
		names = append(names, "localhost")
	}
	return s.Certificates.SelfSigned(time.Now(), names, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback})
}

func (s *State) bootstrapListeners(o BootstrapOptions, print string) error {
	live := s.Snapshot()
	fresh := len(live.Listeners) == 0
	type want struct{ address, transport, port string }
	var wants []want
	add := func(transport, flag string, standard uint32) error {
		if flag == "" {
			if fresh {
				wants = append(wants, want{"IP:127.0.0.1", transport, freePort("127.0.0.1", standard)})
			}
			return nil
		}
		host, port, err := net.SplitHostPort(flag)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", flag, err)
		}
		address, err := listenerAddress(host)
		if err != nil {
			return err
		}
		if port == "0" {
			port = freePort(host, 0)
		}
		wants = append(wants, want{address, transport, port})
		return nil
	}
	if err := errors.Join(add("HTTP", o.HTTP, live.WinRM.Service.DefaultPorts.HTTP),
		add("HTTPS", o.HTTPS, live.WinRM.Service.DefaultPorts.HTTPS)); err != nil {
		return err
	}
	for _, l := range o.Listen {
		address, err := listenerAddress(l)
		if err != nil {
			return err
		}
		wants = append(wants,
			want{address, "HTTP", strconv.FormatUint(uint64(live.WinRM.Service.DefaultPorts.HTTP), 10)},
			want{address, "HTTPS", strconv.FormatUint(uint64(live.WinRM.Service.DefaultPorts.HTTPS), 10)})
	}
	for _, w := range wants {
		if err := s.ensureListener(w.address, w.transport, w.port, print); err != nil {
			return fmt.Errorf("make the listener %s on %s: %w", w.transport, w.address, err)
		}
	}
	return nil
}

// ensureListener creates a listener, or moves an existing one to the port.
func (s *State) ensureListener(address, transport, port, print string) error {
	return s.Hive.Update(func(tx *registry.Tx) error {
		live := s.Snapshot()
		selectors := []settings.NameValue{{Name: "Address", Value: address}, {Name: "Transport", Value: transport}}
		body := []settings.NameValue{{Name: "Port", Value: port}}
		if transport == "HTTPS" {
			body = append(body, settings.NameValue{Name: "Hostname", Value: hostName()},
				settings.NameValue{Name: "CertificateThumbprint", Value: print})
		}
		_, changes, err := settings.CreateListener(live.Reader, live.WinRM, s.Host(), selectors, body)
		if errors.Is(err, &settings.Error{Code: settings.CodeAlreadyExists}) {
			_, changes, err = settings.PutListener(live.Reader, live.WinRM, s.Host(), selectors, body)
		}
		if err != nil {
			return err
		}
		return settings.Apply(tx, changes)
	})
}

// listenerAddress is the Address selector for an IP literal.
func listenerAddress(host string) (string, error) {
	if host == "" || host == "*" {
		return "*", nil
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return "", fmt.Errorf("listen on %q: want an IP address", host)
	}
	if a.IsUnspecified() {
		return "*", nil
	}
	return "IP:" + a.String(), nil
}

// freePort is the standard port where nobody listens on it, else a free one.
func freePort(host string, standard uint32) string {
	for _, port := range []string{strconv.FormatUint(uint64(standard), 10), "0"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			continue
		}
		_, got, err := net.SplitHostPort(l.Addr().String())
		l.Close()
		if err == nil {
			return got
		}
	}
	return strconv.FormatUint(uint64(standard), 10)
}

// URLs are the addresses at which this machine reaches its own listeners, ""
// where there is none, and the SHA-256 of the HTTPS certificate.
func (s *State) URLs() (plain, secure, fingerprint string) {
	for _, l := range s.Snapshot().Listeners {
		if !l.Enabled {
			continue
		}
		host := "127.0.0.1"
		if ip, ok := strings.CutPrefix(l.Address, "IP:"); ok {
			host = ip
		}
		url := "://" + net.JoinHostPort(host, strconv.FormatUint(uint64(l.Port), 10)) + "/" + l.URLPrefix
		if l.Transport == "HTTPS" {
			if secure == "" {
				secure = "https" + url
				if cert, err := s.Certificates.Find(l.CertificateThumbprint); err == nil {
					fingerprint = Fingerprint(cert.Leaf)
				}
			}
		} else if plain == "" {
			plain = "http" + url
		}
	}
	return plain, secure, fingerprint
}

// SetDefaults chooses the set of default values and keeps the choice.
func (s *State) SetDefaults(d settings.Defaults) error {
	return s.Hive.Update(func(tx *registry.Tx) error { return settings.Apply(tx, []settings.Change{d.Change()}) })
}
