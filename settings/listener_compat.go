package settings

import "fmt"

// CompatibilityListeners returns the listeners on the ports of WinRM 1.1 that the
// service adds while EnableCompatibilityHttpListener (port 80) or ...HttpsListener
// (port 443) is true. They have all addresses and the prefix wsman, and are no entries
// of winrm/config/listener. Without a certificate for the machine's name the second is
// left out and the error says so.
func CompatibilityListeners(w *WinRM, h Host) ([]Listener, error) {
	var out []Listener
	if w.Service.EnableCompatibilityHTTPListener {
		out = append(out, Listener{Address: "*", Transport: "HTTP", Port: 80, Enabled: true, URLPrefix: "wsman"})
	}
	if !w.Service.EnableCompatibilityHTTPSListener {
		return out, nil
	}
	l := Listener{Address: "*", Transport: "HTTPS", Port: 443, Enabled: true, URLPrefix: "wsman"}
	if err := l.bindCertificate(h); err != nil {
		return out, fmt.Errorf("settings: no compatibility listener on port 443: %w", err)
	}
	return append(out, l), nil
}
