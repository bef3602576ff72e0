package host

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
)

// States of a printer of IPP.
const (
	printerIdle       = 3
	printerProcessing = 4
	printerStopped    = 5
)

// Bits of printer-type of CUPS.
const cupsRemote = 0x2

// printer is a queue of CUPS: what it tells, as attributes of IPP, also where they come from its file.
type printer struct {
	ippGroup
	csName       string
	isDefault    bool
	defaultKnown bool
}

type printerColumn = column[printer]

func printerText(name, attribute string) printerColumn {
	return printerColumn{name: name, get: func(r *printer) cim.Value { return strOrNull(r.text(attribute)) }}
}

func printerTexts(name, attribute string) printerColumn {
	return printerColumn{name: name, get: func(r *printer) cim.Value { return strsOrNull(r.texts(attribute)) }}
}

func printerNumber(name, attribute string) printerColumn {
	return printerColumn{name: name, get: func(r *printer) cim.Value {
		n, ok := r.number(attribute)
		if !ok {
			return cim.Value{}
		}
		return cim.U32(n)
	}}
}

// printerFlag is NULL unless get knows.
func printerFlag(name string, get func(*printer) (value, ok bool)) printerColumn {
	return printerColumn{name: name, get: func(r *printer) cim.Value {
		b, ok := get(r)
		if !ok {
			return cim.Value{}
		}
		return cim.Bool(b)
	}}
}

func (r *printer) shared() (bool, bool) { return r.boolean("printer-is-shared") }

// remote tells whether the queue is one of another machine.
func (r *printer) remote() (bool, bool) {
	n, ok := r.number("printer-type")
	return n&cupsRemote != 0, ok
}

// reasons are the reasons of its state, without how serious they are.
func (r *printer) reasons() []string {
	var out []string
	for _, s := range r.texts("printer-state-reasons") {
		for _, end := range []string{"-report", "-warning", "-error"} {
			s = strings.TrimSuffix(s, end)
		}
		if s != "none" && s != "" {
			out = append(out, s)
		}
	}
	return out
}

// detectedErrors are the values of DetectedErrorState by the reason of IPP. The first of the list that a printer has
// stands.
var detectedErrors = []struct {
	reason string
	value  uint16
}{
	{"offline", 9}, {"media-jam", 8}, {"door-open", 7}, {"cover-open", 7}, {"media-empty", 4}, {"media-needed", 4}, {"toner-empty", 6},
	{"marker-supply-empty", 6}, {"output-area-full", 11}, {"media-low", 3}, {"toner-low", 5}, {"marker-supply-low", 5},
}

func (r *printer) detectedError() uint16 {
	const other, noError = 1, 2
	reasons := r.reasons()
	for _, e := range detectedErrors {
		if slices.Contains(reasons, e.reason) {
			return e.value
		}
	}
	if len(reasons) > 0 {
		return other
	}
	return noError
}

// printerStatus is PrinterStatus; ExtendedPrinterStatus knows 8, paused, besides.
func printerStatus(extended bool) func(*printer) cim.Value {
	return func(r *printer) cim.Value {
		const idle, printing, stopped, offline, paused = 3, 4, 6, 7, 8
		state, ok := r.number("printer-state")
		switch {
		case !ok:
			return cim.Value{}
		case slices.Contains(r.reasons(), "offline"):
			return cim.U16(offline)
		case extended && slices.Contains(r.reasons(), "paused"):
			return cim.U16(paused)
		case state == printerIdle:
			return cim.U16(idle)
		case state == printerProcessing:
			return cim.U16(printing)
		case state == printerStopped:
			return cim.U16(stopped)
		}
		return cim.Value{}
	}
}

// printerAbilities are the values of Capabilities by the bit of printer-type.
var printerAbilities = []struct {
	bit   uint32
	value uint16
	text  string
}{{0x8, 2, "Color"}, {0x10, 3, "Duplex"}, {0x40, 4, "Copies"}, {0x80, 5, "Collate"}, {0x20, 6, "Staple"}}

func printerCapabilities(r *printer) (values []cim.Value, texts []string) {
	n, _ := r.number("printer-type")
	for _, a := range printerAbilities {
		if n&a.bit != 0 {
			values, texts = append(values, cim.U16(a.value)), append(texts, a.text)
		}
	}
	return values, texts
}

func printerResolution(name string, vertical bool) printerColumn {
	return printerColumn{name: name, get: func(r *printer) cim.Value {
		x, y, ok := r.resolution("printer-resolution-default")
		if !ok {
			return cim.Value{}
		}
		if vertical {
			return cim.U32(y)
		}
		return cim.U32(x)
	}}
}

var printerTable = &table[printer]{name: "Win32_Printer", gather: gatherPrinters, columns: []printerColumn{
	{name: "CreationClassName", get: fixedStr[printer]("Win32_Printer")},
	{name: "SystemCreationClassName", get: fixedStr[printer]("Win32_ComputerSystem")},
	{name: "SystemName", get: func(r *printer) cim.Value { return strOrNull(r.csName) }},
	printerText("DeviceID", "printer-name"),
	printerText("Name", "printer-name"),
	printerText("Caption", "printer-name"),
	printerText("Description", "printer-info"),
	printerText("Comment", "printer-info"),
	printerText("Location", "printer-location"),
	printerText("DriverName", "printer-make-and-model"),
	{name: "PortName", get: func(r *printer) cim.Value { return strOrNull(withoutSecrets(r.text("device-uri"))) }},
	printerFlag("Default", func(r *printer) (bool, bool) { return r.isDefault, r.defaultKnown }),
	printerFlag("Shared", (*printer).shared),
	{name: "ShareName", get: func(r *printer) cim.Value {
		if shared, _ := r.shared(); shared {
			return strOrNull(r.text("printer-name"))
		}
		return cim.Value{}
	}},
	printerFlag("Network", (*printer).remote),
	printerFlag("Local", func(r *printer) (bool, bool) { remote, ok := r.remote(); return !remote, ok }),
	{name: "Attributes", get: func(r *printer) cim.Value {
		const byDefault, shared, network, local = 0x4, 0x8, 0x10, 0x40
		remote, ok := r.remote()
		if !ok || !r.defaultKnown {
			return cim.Value{}
		}
		n := uint32(local)
		if remote {
			n = network
		}
		if is, _ := r.shared(); is {
			n |= shared
		}
		if r.isDefault {
			n |= byDefault
		}
		return cim.U32(n)
	}},
	{name: "PrinterStatus", get: printerStatus(false)},
	{name: "ExtendedPrinterStatus", get: printerStatus(true)},
	{name: "DetectedErrorState", get: func(r *printer) cim.Value { return cim.U16(r.detectedError()) }},
	{name: "ErrorInformation", get: func(r *printer) cim.Value { return strsOrNull(r.reasons()) }},
	{name: "Status", get: func(r *printer) cim.Value {
		switch n, _ := r.number("printer-state"); n {
		case printerIdle, printerProcessing:
			return cim.Str("OK")
		case printerStopped:
			return cim.Str("Error")
		}
		return cim.Value{}
	}},
	{name: "Capabilities", get: func(r *printer) cim.Value {
		values, _ := printerCapabilities(r)
		if len(values) == 0 {
			return cim.Value{}
		}
		return cim.Array(cim.Uint16, values)
	}},
	{name: "CapabilityDescriptions", get: func(r *printer) cim.Value { _, t := printerCapabilities(r); return strsOrNull(t) }},
	{name: "SpoolEnabled", get: fixedValue[printer](cim.Bool(true))}, // CUPS keeps every job in files
	{name: "Direct", get: fixedValue[printer](cim.Bool(false))},
	printerResolution("HorizontalResolution", false),
	printerResolution("VerticalResolution", true),
	printerNumber("MaxCopies", "copies-supported"),
	printerNumber("AveragePagesPerMinute", "pages-per-minute"),
	printerNumber("DefaultCopies", "copies-default"),
	printerText("DefaultPaperType", "media-default"),
	printerTexts("PrinterPaperNames", "media-supported"),
	printerTexts("AvailableJobSheets", "job-sheets-supported"),
	printerTexts("MimeTypesSupported", "document-format-supported"),
	printerTexts("CharSetsSupported", "charset-supported"),
	printerTexts("NaturalLanguagesSupported", "generated-natural-language-supported"),
}}

// printerAttributes is what is asked of CUPS.
var printerAttributes = []string{"printer-name", "printer-info", "printer-location", "printer-make-and-model", "device-uri", "printer-is-shared",
	"printer-type", "printer-state", "printer-state-reasons", "printer-resolution-default", "copies-supported", "copies-default", "pages-per-minute",
	"media-default", "media-supported", "job-sheets-supported", "document-format-supported", "charset-supported", "generated-natural-language-supported"}

// withoutSecrets takes the name and the password of a device out of its address.
func withoutSecrets(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}

// gatherPrinters asks CUPS, and reads its file where it does not run.
func gatherPrinters(ctx context.Context, p *Provider, _ uint32, q query, f func(*printer) error) error {
	groups, err := p.askCUPS(ctx, ippRequest(ippGetPrinters, printerAttributes...))
	byDefault, defaultKnown := "", true
	if err == nil && len(groups) > 0 {
		one, err := p.askCUPS(ctx, ippRequest(ippGetDefault, "printer-name"))
		if defaultKnown = err == nil; len(one) > 0 {
			byDefault = one[0].text("printer-name")
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			p.log.Debug("CUPS does not answer; its file is read", "error", err)
		}
		groups, byDefault = p.printersFile()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	id, one := q.text("DeviceID")
	name := p.hostName()
	for _, g := range groups {
		r := &printer{ippGroup: g, csName: name, defaultKnown: defaultKnown, isDefault: byDefault != "" && g.text("printer-name") == byDefault}
		if g.text("printer-name") == "" || one && !cim.EqualFold(g.text("printer-name"), id) {
			continue
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// printerStates are the words of printers.conf(5).
var printerStates = map[string]byte{"Idle": printerIdle, "Processing": printerProcessing, "Stopped": printerStopped}

// printersFile reads printers.conf(5), which CUPS lets few read.
func (p *Provider) printersFile() (out []ippGroup, byDefault string) {
	b, err := os.ReadFile(filepath.Join(p.root, "etc/cups/printers.conf"))
	if err != nil {
		return nil, ""
	}
	var g ippGroup
	texts := map[string]string{"Info": "printer-info", "Location": "printer-location", "MakeModel": "printer-make-and-model", "DeviceURI": "device-uri"}
	for _, line := range strings.Split(string(b), "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case key == "<Printer" || key == "<DefaultPrinter":
			name := strings.TrimSuffix(value, ">")
			g = ippGroup{"printer-name": {[]byte(name)}}
			out = append(out, g)
			if key == "<DefaultPrinter" {
				byDefault = name
			}
		case g == nil || value == "":
		case texts[key] != "":
			g[texts[key]] = [][]byte{[]byte(value)}
		case key == "Shared":
			yes := byte(0)
			if cim.EqualFold(value, "yes") {
				yes = 1
			}
			g["printer-is-shared"] = [][]byte{{yes}}
		case key == "State" && printerStates[value] != 0:
			g["printer-state"] = [][]byte{{0, 0, 0, printerStates[value]}}
		case key == "Reason":
			g["printer-state-reasons"] = append(g["printer-state-reasons"], []byte(value))
		case key == "Type":
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				g["printer-type"] = [][]byte{{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}}
			}
		}
	}
	return out, byDefault
}
