package host

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// attribute is an attribute of IPP by hand: RFC 8010, section 3.1.4.
func attribute(tag byte, name, value string) string {
	return string([]byte{tag, byte(len(name) >> 8), byte(len(name))}) + name + string([]byte{byte(len(value) >> 8), byte(len(value))}) + value
}

// cups is a socket below a root at which the answers stand ready, by the operation.
func cups(t *testing.T, answers map[byte]string) *Provider {
	t.Helper()
	dir := root(t, map[string]string{"run/cups/": "", "proc/sys/kernel/hostname": "fox\n"})
	l, err := net.Listen("unix", filepath.Join(dir, "run/cups/cups.sock"))
	if err != nil {
		t.Skip(err) // the path of the folder is too long
	}
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ipp" || len(b) < 9 || b[2] != 0x40 {
			t.Errorf("%s %v %x", r.Method, r.Header, b)
		}
		_, _ = io.WriteString(w, answers[b[3]])
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return New(Options{Root: dir})
}

const ippOK = "\x01\x01\x00\x00\x00\x00\x00\x01\x01" + "\x47\x00\x12attributes-charset\x00\x05utf-8"

func TestPrintersOfCUPS(t *testing.T) {
	laser := "\x04" + attribute(0x42, "printer-name", "laser") + attribute(0x41, "printer-info", "The big one") + attribute(0x35, "printer-location", "\x00\x02en\x00\x04Hall") +
		attribute(0x41, "printer-make-and-model", "Maker LP 9") + attribute(0x45, "device-uri", "smb://alice:secret@192.0.2.7/lp") + attribute(0x22, "printer-is-shared", "\x01") +
		attribute(0x23, "printer-type", "\x00\x00\x00\xdc") + attribute(0x23, "printer-state", "\x00\x00\x00\x05") +
		attribute(0x44, "printer-state-reasons", "paused") + attribute(0x44, "", "media-empty-error") +
		attribute(0x32, "printer-resolution-default", "\x00\x00\x02\x58\x00\x00\x01\x2c\x03") + attribute(0x33, "copies-supported", "\x00\x00\x00\x01\x00\x00\x27\x0f") +
		attribute(0x44, "media-supported", "iso_a4_210x297mm") + attribute(0x44, "", "na_letter_8.5x11in")
	remote := "\x04" + attribute(0x42, "printer-name", "there") + attribute(0x23, "printer-type", "\x00\x00\x00\x06") + attribute(0x23, "printer-state", "\x00\x00\x00\x03") +
		attribute(0x44, "printer-state-reasons", "none") + attribute(0x22, "printer-is-shared", "\x00")
	p := cups(t, map[byte]string{0x02: ippOK + laser + remote + "\x03", 0x01: ippOK + "\x04" + attribute(0x42, "printer-name", "laser") + "\x03"})
	got := all(t, p, "Win32_Printer", query{})
	if texts(got, "DeviceID") != "laser there" {
		t.Fatalf("printers %v", got)
	}
	expect(t, got[0], map[string]string{"Name": "laser", "Description": "The big one", "Comment": "The big one", "Location": "Hall", "DriverName": "Maker LP 9",
		"PortName": "smb://192.0.2.7/lp", "Shared": "true", "ShareName": "laser", "Local": "true", "Network": "false", "Default": "true", "Attributes": "76",
		"PrinterStatus": "6", "ExtendedPrinterStatus": "8", "DetectedErrorState": "4", "ErrorInformation": "{paused, media-empty}", "Status": "Error", "Capabilities": "{2, 3, 4, 5}",
		"CapabilityDescriptions": "{Color, Duplex, Copies, Collate}", "HorizontalResolution": "600", "VerticalResolution": "300", "MaxCopies": "9999",
		"PrinterPaperNames": "{iso_a4_210x297mm, na_letter_8.5x11in}", "SystemName": "fox", "JobCountSinceLastReset": "null"})
	expect(t, got[1], map[string]string{"Network": "true", "Local": "false", "Shared": "false", "ShareName": "null", "Default": "false", "PrinterStatus": "3", "DetectedErrorState": "2",
		"Status": "OK", "Attributes": "16", "PortName": "null", "Capabilities": "null"})
	only(t, p, "Win32_Printer", fixed(map[string]cim.Value{"DeviceID": cim.Str("LASER")}))

	empty := cups(t, map[byte]string{0x02: "\x01\x01\x04\x06\x00\x00\x00\x01\x01\x03"}) // client-error-not-found
	if out := all(t, empty, "Win32_Printer", query{}); len(out) != 0 {
		t.Errorf("printers of a CUPS without any: %v", out)
	}
	headless := cups(t, map[byte]string{0x02: ippOK + remote + "\x03", 0x01: "?"})
	expect(t, only(t, headless, "Win32_Printer", query{}), map[string]string{"Default": "null", "Attributes": "null"})
	broken := cups(t, map[byte]string{0x02: "no answer"})
	if out := all(t, broken, "Win32_Printer", query{}); len(out) != 0 {
		t.Errorf("printers out of nothing: %v", out)
	}
}

func TestPrintersOfAFile(t *testing.T) {
	p := New(Options{Root: root(t, map[string]string{"etc/cups/printers.conf": "# Printer configuration file\n<DefaultPrinter laser>\nUUID urn:uuid:1\nInfo The big one\nLocation Hall\nMakeModel Maker LP 9\n" +
		"DeviceURI socket://192.0.2.7\nState Idle\nType 4\nShared Yes\n</DefaultPrinter>\n<Printer old>\nDeviceURI usb://x/y\nState Stopped\nReason media-jam-error\nShared No\n</Printer>\n"})})
	got := all(t, p, "Win32_Printer", query{})
	if len(got) != 2 {
		t.Fatalf("printers %v", got)
	}
	expect(t, got[0], map[string]string{"DeviceID": "laser", "Default": "true", "Shared": "true", "PrinterStatus": "3", "DriverName": "Maker LP 9", "PortName": "socket://192.0.2.7", "Local": "true"})
	expect(t, got[1], map[string]string{"DeviceID": "old", "Default": "false", "PrinterStatus": "6", "DetectedErrorState": "8", "Local": "null", "DriverName": "null"})
	if out := all(t, New(Options{Root: root(t, nil)}), "Win32_Printer", query{}); len(out) != 0 {
		t.Errorf("printers of a machine without CUPS: %v", out)
	}
}

// The request is written by hand: RFC 8010, section 3.1, and the operation of CUPS.
func TestIPPRequest(t *testing.T) {
	want := "0101" + "4002" + "00000001" + "01" +
		"47" + "0012" + hex.EncodeToString([]byte("attributes-charset")) + "0005" + hex.EncodeToString([]byte("utf-8")) +
		"48" + "001b" + hex.EncodeToString([]byte("attributes-natural-language")) + "0002" + hex.EncodeToString([]byte("en")) +
		"44" + "0014" + hex.EncodeToString([]byte("requested-attributes")) + "0001" + "61" + "44" + "0000" + "0001" + "62" + "03"
	if got := hex.EncodeToString(ippRequest(ippGetPrinters, "a", "b")); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(Options{Root: t.TempDir()}).askCUPS(ctx, nil); err == nil {
		t.Error("a call that was cancelled went on")
	}
}

func FuzzIPP(f *testing.F) {
	f.Add([]byte(ippOK + "\x04" + attribute(0x42, "printer-name", "laser") + attribute(0x44, "", "x") + "\x03"))
	f.Add([]byte(strings.Repeat("\x04", 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, printers, err := parseIPP(b)
		for _, g := range printers {
			for name, values := range g {
				if err != nil || name == "" || len(values) == 0 {
					t.Errorf("%q %v", name, err)
				}
			}
			r := &printer{ippGroup: g}
			for _, c := range printerTable.columns {
				c.get(r)
			}
		}
	})
}
