package service

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// loopback is the Address of the listeners that Bootstrap makes by itself.
const loopback = "IP:127.0.0.1"

// wantedListener is a listener that Bootstrap is to see to.
type wantedListener struct {
	address, transport string
	host               string // to try ports on
	port               uint32 // 0: a free one, or that of the listener
	spare              bool   // another port will do where this one is taken
	exposed            bool   // the firewall has to let it in
}

func (s *State) bootstrapListeners(o BootstrapOptions, b *Bootstrapped) error {
	wants, err := s.wantedListeners(o)
	if err != nil {
		return err
	}
	for _, w := range wants {
		if err := s.ensureListener(w, b); err != nil {
			return fmt.Errorf("make the listener %s on %s: %w", w.transport, w.address, err)
		}
	}
	return nil
}

func (s *State) wantedListeners(o BootstrapOptions) ([]wantedListener, error) {
	live := s.Snapshot()
	var wants []wantedListener
	for _, t := range []struct {
		transport, flag string
		standard        uint32
	}{
		{"HTTP", o.HTTP, live.WinRM.Service.DefaultPorts.HTTP},
		{"HTTPS", o.HTTPS, live.WinRM.Service.DefaultPorts.HTTPS},
	} {
		if t.flag != "" {
			w, err := flagListener(t.transport, t.flag)
			if err != nil {
				return nil, err
			}
			wants = append(wants, w)
		}
		if o.Listen != "" {
			address, err := listenerAddress(o.Listen)
			if err != nil {
				return nil, err
			}
			wants = append(wants, wantedListener{address: address, transport: t.transport, host: bindHost(address),
				port: t.standard, spare: true, exposed: !isLoopback(address)})
		}
		if t.flag == "" && o.Listen == "" && len(live.Listeners) == 0 {
			wants = append(wants, wantedListener{address: loopback, transport: t.transport, host: bindHost(loopback), port: t.standard, spare: true})
		}
	}
	return wants, nil
}

// flagListener is what host:port names.
func flagListener(transport, flag string) (wantedListener, error) {
	host, port, err := net.SplitHostPort(flag)
	if err != nil {
		return wantedListener{}, fmt.Errorf("listen on %s: %w", flag, err)
	}
	address, err := listenerAddress(host)
	if err != nil {
		return wantedListener{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return wantedListener{}, fmt.Errorf("listen on %s: the port is not a number up to 65535", flag)
	}
	return wantedListener{address: address, transport: transport, host: bindHost(address), port: uint32(n), exposed: !isLoopback(address)}, nil
}

func (w wantedListener) selectors() []settings.NameValue {
	return []settings.NameValue{{Name: "Address", Value: w.address}, {Name: "Transport", Value: w.transport}}
}

// ensureListener creates a listener, or moves an existing one to the port. One
// that is there keeps everything else, its certificate above all.
func (s *State) ensureListener(w wantedListener, b *Bootstrapped) error {
	live := s.Snapshot()
	have, err := settings.FindListener(live.Reader, live.WinRM, w.selectors())
	there := err == nil
	if there && (w.port == have.Port || w.port == 0 || w.spare) {
		return nil
	}
	port, err := w.choosePort(b)
	if err != nil {
		return err
	}
	body := []settings.NameValue{{Name: "Port", Value: port}}
	print := ""
	if w.transport == "HTTPS" && !there {
		if print, err = s.ownCertificate(hostName()); err != nil {
			return err
		}
		body = append(body, settings.NameValue{Name: "Hostname", Value: hostName()}, settings.NameValue{Name: "CertificateThumbprint", Value: print})
	}
	host := s.Host()
	return s.Hive.Update(func(tx *registry.Tx) error {
		live := s.Snapshot()
		var changes []settings.Change
		if there {
			_, changes, err = settings.PutListener(live.Reader, live.WinRM, host, w.selectors(), body)
		} else {
			_, changes, err = settings.CreateListener(live.Reader, live.WinRM, host, w.selectors(), body)
		}
		if err != nil {
			return err
		}
		if w.exposed {
			more, err := w.expose(tx, live, port)
			if err != nil {
				return err
			}
			changes = append(changes, more...)
		}
		return settings.Apply(tx, changes)
	})
}

// expose opens the firewall for the listener and removes one on the loopback
// address that would be in its way: of two with the same port only one
// receives.
func (w wantedListener) expose(tx *registry.Tx, live *settings.Snapshot, port string) ([]settings.Change, error) {
	profile := NetworkProfile(live.Reader)
	if _, err := firewall.EnableWinRM(tx, w.transport, profile); err != nil {
		return nil, err
	}
	if err := firewall.AllowWinRMPort(tx, w.transport, port, profile); err != nil {
		return nil, err
	}
	for _, l := range live.Listeners {
		if l.Address == loopback && strings.EqualFold(l.Transport, w.transport) && strconv.FormatUint(uint64(l.Port), 10) == port {
			return settings.DeleteListener(live.Reader, live.WinRM,
				[]settings.NameValue{{Name: "Address", Value: l.Address}, {Name: "Transport", Value: l.Transport}})
		}
	}
	return nil, nil
}

// choosePort finds the port that the listener gets, and notes where it is
// another than the standard one.
func (w wantedListener) choosePort(b *Bootstrapped) (string, error) {
	standard := strconv.FormatUint(uint64(w.port), 10)
	if w.port != 0 && !w.spare {
		return standard, nil
	}
	if w.port != 0 {
		if _, err := tryPort(w.host, standard); err == nil || !taken(err) {
			return standard, nil
		}
	}
	port, err := tryPort(w.host, "0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	if w.port != 0 {
		b.note("Port %s is taken by another program, so %s has port %s.", standard, w.transport, port)
	}
	return port, nil
}

// tryPort listens for a moment and returns the port.
func tryPort(host, port string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, got, err := net.SplitHostPort(l.Addr().String())
	return got, err
}

// listenerAddress is the Address selector for an IP literal.
func listenerAddress(host string) (string, error) {
	if host == "" || host == "*" {
		return "*", nil
	}
	if host == "localhost" {
		return loopback, nil
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return "", fmt.Errorf("listen on %q: want an IP address of this machine, or 0.0.0.0 for all", host)
	}
	if a.IsUnspecified() {
		return "*", nil
	}
	return "IP:" + a.String(), nil
}

// bindHost is the host part to bind for an Address selector.
func bindHost(address string) string {
	host, _ := strings.CutPrefix(address, "IP:")
	if host == "*" {
		return ""
	}
	return host
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddr(bindHost(address))
	return err == nil && a.IsLoopback()
}

// renewCertificates moves HTTPS listeners whose own certificate has expired, is
// not valid yet or is gone, to a new one.
func (s *State) renewCertificates(b *Bootstrapped) error {
	for _, l := range s.Snapshot().Listeners {
		if l.Transport != "HTTPS" {
			continue
		}
		why, replace := s.unusable(l.CertificateThumbprint)
		if why == "" {
			continue
		}
		where := "the HTTPS listener on " + l.Address
		if !replace || l.Source != registry.SourceHive {
			b.note("The certificate of %s %s.", where, why)
			continue
		}
		print, err := s.ownCertificate(l.Hostname)
		if err == nil {
			err = s.moveTo(l, print)
		}
		if err != nil {
			return fmt.Errorf("renew the certificate of %s, which %s: %w", where, why, err)
		}
		b.note("The certificate of %s %s; it has a new one.", where, why)
	}
	return nil
}

func (s *State) moveTo(l settings.Listener, print string) error {
	host := s.Host()
	return s.Hive.Update(func(tx *registry.Tx) error {
		live := s.Snapshot()
		w := wantedListener{address: l.Address, transport: l.Transport}
		_, changes, err := settings.PutListener(live.Reader, live.WinRM, host, w.selectors(), []settings.NameValue{{Name: "CertificateThumbprint", Value: print}})
		return errors.Join(err, settings.Apply(tx, changes))
	})
}
