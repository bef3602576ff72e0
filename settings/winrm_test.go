package settings

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/registry"
)

// currentConfig is what `winrm get winrm/config` prints on Windows 10 and 2016 up:
// names, order and values of spec/winrm.md 1.5.
const currentConfig = `MaxEnvelopeSizekb = 500
MaxTimeoutms = 60000
MaxBatchItems = 32000
MaxProviderRequests = 4294967295
Client
    NetworkDelayms = 5000
    URLPrefix = wsman
    AllowUnencrypted = false
    Auth
        Basic = true
        Digest = true
        Kerberos = true
        Negotiate = true
        Certificate = true
        CredSSP = false
    DefaultPorts
        HTTP = 5985
        HTTPS = 5986
    TrustedHosts
Service
    RootSDDL = O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)
    MaxConcurrentOperations = 4294967295
    MaxConcurrentOperationsPerUser = 1500
    EnumerationTimeoutms = 240000
    MaxConnections = 300
    MaxPacketRetrievalTimeSeconds = 120
    AllowUnencrypted = false
    Auth
        Basic = false
        Kerberos = true
        Negotiate = true
        Certificate = false
        CredSSP = false
        CbtHardeningLevel = Relaxed
    DefaultPorts
        HTTP = 5985
        HTTPS = 5986
    IPv4Filter = *
    IPv6Filter = *
    EnableCompatibilityHttpListener = false
    EnableCompatibilityHttpsListener = false
    CertificateThumbprint
    AllowRemoteAccess = true
Winrs
    AllowRemoteShellAccess = true
    IdleTimeout = 7200000
    MaxConcurrentUsers = 10
    MaxShellRunTime = 2147483647
    MaxProcessesPerShell = 25
    MaxMemoryPerShellMB = 1024
    MaxShellsPerUser = 30
`

func printFields(b *strings.Builder, fields []Field, indent string) {
	for _, f := range fields {
		b.WriteString(indent + f.Name)
		if f.Value != "" {
			b.WriteString(" = " + f.Value)
		}
		b.WriteString("\n")
		printFields(b, f.Children, indent+"    ")
	}
}

func TestDescribeHasTheOrderAndValuesOfWindows(t *testing.T) {
	fields, err := load(t, registry.NewTree(), Current).Describe(URIConfig)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	printFields(&b, fields, "")
	if b.String() != currentConfig {
		t.Errorf("got\n%s\nwant\n%s", b.String(), currentConfig)
	}
}

// Where the documents' value differs, the set `documented` restores it: spec/winrm.md
// 0.2 and checklist 2.41 to 2.100.
func TestDocumentedDefaults(t *testing.T) {
	fields, err := load(t, registry.NewTree(), Documented).Describe(URIConfig)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"MaxEnvelopeSizekb": "150", "MaxTimeoutms": "60000", "MaxBatchItems": "32000", "MaxProviderRequests": "25", // 2.41 to 2.45
		"Client/NetworkDelayms": "5000", "Client/URLPrefix": "wsman", "Client/Auth/Basic": "true", "Client/Auth/CredSSP": "false", // 2.48 to 2.64
		"Service/RootSDDL":                "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;ER)S:P(AU;FA;GA;;;WD)(AU;SA;GWGX;;;WD)", // 2.71
		"Service/MaxConcurrentOperations": "100", "Service/MaxConcurrentOperationsPerUser": "1500",                  // 2.72, 2.74
		"Service/EnumerationTimeoutms": "60000", "Service/MaxConnections": "300", // 2.75, 2.76
		"Winrs/IdleTimeout": "180000", "Winrs/MaxConcurrentUsers": "5", "Winrs/MaxShellRunTime": "28800000", // 2.93, 2.95, 2.96
		"Winrs/MaxProcessesPerShell": "15", "Winrs/MaxMemoryPerShellMB": "150", "Winrs/MaxShellsPerUser": "5", // 2.98 to 2.100
	} {
		f, ok := field(fields, strings.Split(path, "/")...)
		if !ok || f.Value != want {
			t.Errorf("%s is %q, want %q", path, f.Value, want)
		}
	}
}

func TestDefaultsChoicePersists(t *testing.T) {
	for _, row := range []struct {
		changes []Change
		want    Defaults
	}{{nil, Current}, {[]Change{Documented.Change()}, Documented}, {[]Change{Current.Change()}, Current},
		{[]Change{{Key: `HKLM\SOFTWARE\Casement`, Name: "Defaults", Value: registry.SZ("rubbish")}}, Current}} {
		if got := LoadDefaults(hive(t, nil, row.changes...)); got != row.want {
			t.Errorf("%v: %v, want %v", row.changes, got, row.want)
		}
	}
}

// Each row writes one setting of resource uri: code 0 must be stored and read back.
// Ranges and codes of spec/winrm.md 3.1 to 3.4; the ids are statements of section 10
// and rows of the checklist.
func TestWrites(t *testing.T) {
	const c = URIConfig
	rows := []struct {
		id, uri, name, value string
		code                 uint32
		subcode              string
	}{
		{"14: MaxEnvelopeSizeKB fails, MaxEnvelopeSizekb works", c, "MaxEnvelopeSizeKB", "200", CodeSchemaValidation, SubcodeSchema},
		{"14", c, "MaxEnvelopeSizekb", "200", 0, ""},
		{"15, 2.41: 31 -> SchemaValidationError; 32 ok", c, "MaxEnvelopeSizekb", "31", CodeSchemaValidation, SubcodeSchema},
		{"15", c, "MaxEnvelopeSizekb", "32", 0, ""},
		{"2.41: to 4294967295", c, "MaxEnvelopeSizekb", "4294967295", 0, ""},
		{"2.41", c, "MaxEnvelopeSizekb", "4294967296", CodeSchemaValidation, SubcodeSchema},
		{"2.41: a number", c, "MaxEnvelopeSizekb", "many", CodeSchemaValidation, SubcodeSchema},
		{"16, 2.43: MaxTimeoutms 499 rejected", c, "MaxTimeoutms", "499", CodeSchemaValidation, SubcodeSchema},
		{"16", c, "MaxTimeoutms", "500", 0, ""},
		{"2.44", c, "MaxBatchItems", "0", CodeSchemaValidation, SubcodeSchema},
		{"2.44", c, "MaxBatchItems", "1", 0, ""},
		{"17, 2.46: write -> Code 2150859182", c, "MaxProviderRequests", "25", 2150859182, ""},
		{"17: the only allowed value", c, "MaxProviderRequests", "4294967295", 0, ""},
		{"2.47: unknown property", c, "SoapTraceEnabled", "true", CodeSchemaValidation, SubcodeSchema},
		{"2.48", c + "/client", "NetworkDelayms", "499", CodeSchemaValidation, SubcodeSchema},
		{"2.48", c + "/client", "NetworkDelayms", "500", 0, ""},
		{"13, 2.49: URLPrefix /a rejected", c + "/client", "URLPrefix", "/a", CodeSchemaValidation, SubcodeSchema},
		{"13: URLPrefix a/ rejected", c + "/client", "URLPrefix", "a/", CodeSchemaValidation, SubcodeSchema},
		{"2.49: blank", c + "/client", "URLPrefix", "", CodeSchemaValidation, SubcodeSchema},
		{"2.49: other characters", c + "/client", "URLPrefix", "a-b", CodeSchemaValidation, SubcodeSchema},
		{"2.49", c + "/client", "URLPrefix", "a/b_9", 0, ""},
		{"2.50", c + "/client", "AllowUnencrypted", "true", 0, ""},
		{"2.50: a boolean", c + "/client", "AllowUnencrypted", "yes", CodeSchemaValidation, SubcodeSchema},
		{"2.51", c + "/client/auth", "Basic", "false", 0, ""},
		{"2.53", c + "/client/auth", "Digest", "false", 0, ""},
		{"2.55: the service has no Digest", c + "/service/auth", "Digest", "true", CodeSchemaValidation, SubcodeSchema},
		{"2.57", c + "/client/auth", "Certificate", "False", 0, ""},
		{"2.59", c + "/client/auth", "Kerberos", "0", 0, ""},
		{"2.61", c + "/client/auth", "Negotiate", "false", 0, ""},
		{"2.64", c + "/client/auth", "CredSSP", "true", 0, ""},
		{"2.66", c + "/client/defaultports", "HTTP", "0", 0x803380DC, ""},
		{"2.66", c + "/client/defaultports", "HTTPS", "65536", 0x803380DC, ""},
		{"2.66", c + "/client/defaultports", "HTTP", "80", 0, ""},
		{"2.67", c + "/client", "TrustedHosts", "a*b", 0x8033809F, ""},
		{"2.69: a bracketed IPv6 address", c + "/client", "TrustedHosts", "[0:0:0:0:0:0:0:0]", 0, ""},
		{"2.71", c + "/service", "RootSDDL", "O:NSG:BAD:P(A;;GA", 0x8033815C, ""},
		{"2.71: blank", c + "/service", "RootSDDL", "", 0x8033815C, ""},
		{"2.71: parse all", c + "/service", "RootSDDL", rootSDDLDocumented, 0, ""},
		{"17, 2.73: write -> Code 2150859182", c + "/service", "MaxConcurrentOperations", "100", 2150859182, ""},
		{"2.74", c + "/service", "MaxConcurrentOperationsPerUser", "0", CodeSchemaValidation, SubcodeSchema},
		{"2.74", c + "/service", "MaxConcurrentOperationsPerUser", "2", 0, ""},
		{"2.75", c + "/service", "EnumerationTimeoutms", "499", CodeSchemaValidation, SubcodeSchema},
		{"2.75", c + "/service", "EnumerationTimeoutms", "500", 0, ""},
		{"2.76", c + "/service", "MaxConnections", "0", CodeSchemaValidation, SubcodeSchema},
		{"2.76", c + "/service", "MaxConnections", "513", CodeSchemaValidation, SubcodeSchema},
		{"2.76", c + "/service", "MaxConnections", "512", 0, ""},
		{"2.77", c + "/service", "MaxPacketRetrievalTimeSeconds", "0", CodeSchemaValidation, SubcodeSchema},
		{"2.77", c + "/service", "MaxPacketRetrievalTimeSeconds", "1", 0, ""},
		{"2.78", c + "/service", "AllowUnencrypted", "true", 0, ""},
		{"2.79", c + "/service/auth", "Basic", "true", 0, ""},
		{"2.80", c + "/service/auth", "Certificate", "true", 0, ""},
		{"2.81", c + "/service/auth", "Kerberos", "false", 0, ""},
		{"2.82", c + "/service/auth", "Negotiate", "false", 0, ""},
		{"2.83", c + "/service/auth", "CredSSP", "true", 0, ""},
		{"2.84", c + "/service/auth", "CbtHardeningLevel", "Strict", 0, ""},
		{"2.84", c + "/service/auth", "CbtHardeningLevel", "Hard", 0x803381B8, ""},
		{"2.85: read-only", c + "/service", "DefaultPorts/HTTP", "80", 0x8033813F, SubcodeInternal},
		{"2.85: Put unsupported", c + "/service/defaultports", "HTTP", "80", CodeActionNotSupported, ""},
		{"2.86", c + "/service", "IPv4Filter", "10.0.0.1-10.0.0.9", 0, ""},
		{"2.86: blank = none", c + "/service", "IPv4Filter", "", 0, ""},
		{"2.87", c + "/service", "IPv4Filter", "10.0.0.256-10.0.1.1", 0x803380EC, ""},
		{"2.88", c + "/service", "IPv6Filter", "[::1]-[::2]", 0, ""},
		{"2.89", c + "/service", "IPv6Filter", "[::1-::2", 0x803380EC, ""},
		{"2.90", c + "/service", "EnableCompatibilityHttpListener", "true", 0, ""},
		{"2.91", c + "/service", "EnableCompatibilityHttpsListener", "true", 0, ""},
		{"3.3: CertificateThumbprint", c + "/service", "CertificateThumbprint", "12AB", CodeSchemaValidation, SubcodeSchema},
		{"3.3", c + "/service", "AllowRemoteAccess", "false", 0x8033813F, ""},
		{"2.92", c + "/winrs", "AllowRemoteShellAccess", "false", 0, ""},
		{"19: IdleTimeout 1000 stored", c + "/winrs", "IdleTimeout", "1000", 0, ""},
		{"2.93: 0 to 2147483647", c + "/winrs", "IdleTimeout", "2147483648", CodeSchemaValidation, SubcodeSchema},
		{"2.95", c + "/winrs", "MaxConcurrentUsers", "0", CodeSchemaValidation, SubcodeSchema},
		{"2.95", c + "/winrs", "MaxConcurrentUsers", "101", CodeSchemaValidation, SubcodeSchema},
		{"2.95", c + "/winrs", "MaxConcurrentUsers", "100", 0, ""},
		{"18, 2.97: write MaxShellRunTime -> wsman:InternalError", c + "/winrs", "MaxShellRunTime", "1000", CodeDeprecated, SubcodeInternal},
		{"2.98: 0 = no limit", c + "/winrs", "MaxProcessesPerShell", "0", 0, ""},
		{"2.99: 0 = no limit", c + "/winrs", "MaxMemoryPerShellMB", "0", 0, ""},
		{"2.100: 0 = no limit", c + "/winrs", "MaxShellsPerUser", "0", 0, ""},
		{"1.8: MaxShellsPerUser 7", c + "/winrs", "MaxShellsPerUser", "7", 0, ""},
		{"2.100", c + "/winrs", "MaxShellsPerUser", "2147483648", CodeSchemaValidation, SubcodeSchema},
		{"a nested name from the root", c, "Winrs/MaxShellsPerUser", "7", 0, ""},
		{"3: customremoteshell", c + "/winrs/customremoteshell", "x", "1", 0x803381BC, SubcodeInternal},
		{"no such resource", c + "/nothing", "x", "1", CodeResourceNotFound, ""},
		{"37: a URI in another case works", strings.ToUpper(c) + "/WinRS", "MaxShellsPerUser", "7", 0, ""},
	}
	for _, row := range rows {
		what := fmt.Sprintf("%s (%s=%q)", row.id, row.name, row.value)
		w, err := put(t, row.uri, row.name, row.value)
		wantCode(t, what, err, row.code)
		if err != nil {
			if e := err.(*Error); row.subcode != "" && e.Subcode != row.subcode {
				t.Errorf("%s: subcode %s, want %s", what, e.Subcode, row.subcode)
			}
			continue
		}
		fields, err := w.Describe(row.uri)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ToLower(row.value)
		if want == "0" && strings.Contains(row.uri, "/auth") {
			want = "false"
		}
		if f, ok := field(fields, strings.Split(row.name, "/")...); !ok || strings.ToLower(f.Value) != want {
			t.Errorf("%s: reads back as %q", what, f.Value)
		}
	}
}

// Statement 19: IdleTimeout 1000 stored, effective 60000. [MS-WSMV] note 28.
func TestEffectiveIdleTimeout(t *testing.T) {
	for in, want := range map[string]time.Duration{"0": time.Minute, "1000": time.Minute, "59999": time.Minute, "60000": time.Minute, "60001": 60001 * time.Millisecond} {
		w, err := put(t, URIConfig+"/winrs", "IdleTimeout", in)
		if err != nil || w.Winrs.EffectiveIdleTimeout() != want {
			t.Errorf("%s: effective %v (%v), want %v", in, w.Winrs.EffectiveIdleTimeout(), err, want)
		}
	}
}

// Checklist 2.42: above 1039440 accepted with a warning, capped in memory; 2.68: listed
// hosts are not authenticated, a warning.
func TestWarnings(t *testing.T) {
	w, err := put(t, URIConfig, "MaxEnvelopeSizekb", "1039441")
	if err != nil || len(w.Warnings()) != 1 || w.MaxEnvelopeBytes() != 1039440*1024 {
		t.Errorf("%v, %q, %d", err, w.Warnings(), w.MaxEnvelopeBytes())
	}
	w, err = put(t, URIConfig+"/client", "TrustedHosts", "*")
	if err != nil || len(w.Warnings()) != 1 || !strings.Contains(w.Warnings()[0], "not authenticated") {
		t.Errorf("%v, %q", err, w.Warnings())
	}
	if got := load(t, registry.NewTree(), Current).Warnings(); len(got) != 0 {
		t.Errorf("defaults warn: %q", got)
	}
}

// A whole resource that was read may be put back: nothing changes, read-only and
// deprecated values included.
func TestPutOfWhatGetReturned(t *testing.T) {
	w := load(t, registry.NewTree(), Documented)
	fields, err := w.Describe(URIConfig)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := w.Validate(URIConfig, flatten(nil, fields, ""))
	if err != nil || len(changes) != 0 {
		t.Errorf("%+v, %v", changes, err)
	}
	if _, err := w.Validate(URIConfig, []NameValue{{Name: "MaxTimeoutms", Value: "600"}, {Name: "MaxTimeoutms", Value: "700"}}); err == nil {
		t.Error("a name given twice was accepted")
	}
	if _, err := w.Validate(URIConfig, []NameValue{{Name: "MaxTimeoutms", Nil: true}}); err == nil {
		t.Error("a null number was accepted")
	}
}

func flatten(out []NameValue, fields []Field, prefix string) []NameValue {
	for _, f := range fields {
		if f.Children != nil {
			out = flatten(out, f.Children, prefix+f.Name+"/")
			continue
		}
		out = append(out, NameValue{Name: prefix + f.Name, Value: f.Value})
	}
	return out
}

// Restore brings back the defaults of every writable setting.
func TestRestore(t *testing.T) {
	w := load(t, registry.NewTree(), Current)
	changes, err := w.Validate(URIConfig, []NameValue{{Name: "MaxTimeoutms", Value: "600"}, {Name: "Client/TrustedHosts", Value: "a"}, {Name: "Service/Auth/Basic", Value: "true"}})
	if err != nil || len(changes) != 3 {
		t.Fatalf("%+v, %v", changes, err)
	}
	back := load(t, hive(t, nil, append(changes, Restore()...)...), Current)
	if back.MaxTimeoutms != 60000 || back.Client.TrustedHosts != "" || back.Service.Auth.Basic {
		t.Errorf("after Restore %+v", back)
	}
}
