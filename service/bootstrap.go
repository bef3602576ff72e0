package service

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// administrator is the RID of the built-in Administrator.
const administrator = 500

// BootstrapOptions say what Bootstrap makes of a state folder.
type BootstrapOptions struct {
	// HTTP and HTTPS are the addresses to listen on, host:port; port 0 takes a
	// free one, or the one that the listener has. Empty: 127.0.0.1 with the
	// default port, or a free one where that is taken; only in a folder that
	// has no listener yet, and not beside Listen.
	HTTP, HTTPS string
	// Listen is an address for both transports on the default ports, an IP
	// literal; 0.0.0.0 and :: stand for all. It takes the place of listeners
	// on the loopback address with these ports. WMI over DCOM listens there too;
	// without it, on 127.0.0.1 where no address is configured yet.
	Listen string
}

// Bootstrapped is what Bootstrap did and what a person needs to know of it.
type Bootstrapped struct {
	User        string // the built-in Administrator
	Password    string // only when it was set just now
	HTTP, HTTPS string // URLs on which this machine answers, "" for none
	Thumbprint  string // SHA-256 of the HTTPS certificate, lower-case hexadecimal
	// Notes are what is not as one might expect, a sentence each.
	Notes []string
}

func (b *Bootstrapped) note(format string, args ...any) {
	b.Notes = append(b.Notes, fmt.Sprintf(format, args...))
}

// Bootstrap makes a state folder serve: an administrator with a password, a
// certificate, listeners. What is there already stays as it is; only a
// certificate that this machine signed itself is replaced once it has expired.
func (s *State) Bootstrap(o BootstrapOptions) (Bootstrapped, error) {
	var b Bootstrapped
	if err := s.bootstrapAdministrator(&b); err != nil {
		return b, err
	}
	if err := s.renewCertificates(&b); err != nil {
		return b, err
	}
	if err := s.bootstrapListeners(o, &b); err != nil {
		return b, err
	}
	if err := s.bootstrapDCOM(o.Listen); err != nil {
		return b, err
	}
	b.HTTP, b.HTTPS, b.Thumbprint = s.URLs()
	return b, nil
}

// bootstrapDCOM sees to the address that WMI over DCOM listens on: the one that
// is asked for, else what is configured, else the loopback address.
func (s *State) bootstrapDCOM(listen string) error {
	address := "127.0.0.1"
	if listen != "" {
		selector, err := listenerAddress(listen)
		if err != nil {
			return err
		}
		if address = bindHost(selector); address == "" {
			address = "*"
		}
	}
	return s.listenDCOM(address, listen != "")
}

// listenDCOM keeps the address that WMI over DCOM listens on; replace says that
// one which is configured goes.
func (s *State) listenDCOM(address string, replace bool) error {
	return s.Hive.Update(func(tx *registry.Tx) error {
		if s.Snapshot().DCOM.Address != "" && !replace {
			return nil
		}
		c, err := settings.SetDCOMAddress(address)
		if err != nil {
			return err
		}
		return settings.Apply(tx, []settings.Change{c})
	})
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
