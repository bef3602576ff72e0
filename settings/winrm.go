package settings

import (
	"time"

	"github.com/casementhq/casement/registry"
)

// WinRM is a snapshot of winrm/config. See [MS-WSMV] 2.2.4.10.
type WinRM struct {
	MaxEnvelopeSizekb   uint32 // kilobytes of a request; 32 up, default 500
	MaxTimeoutms        uint32 // ceiling of OperationTimeout; 500 up, default 60000
	MaxBatchItems       uint32 // ceiling of MaxElements; 1 up, default 32000
	MaxProviderRequests uint32 // deprecated and ignored
	Client              Client
	Service             Service
	Winrs               Winrs

	sources []registry.Source // as schema
}

// Auth holds the switches of the authentication schemes. Digest is a client's only.
type Auth struct {
	Basic, Digest, Kerberos, Negotiate, Certificate, CredSSP bool
}

// Ports holds DefaultPorts.
type Ports struct {
	HTTP, HTTPS uint32 // default 5985 and 5986
}

// Client is winrm/config/client. See [MS-WSMV] 2.2.4.6.
type Client struct {
	NetworkDelayms   uint32 // added to OperationTimeout; 500 up, default 5000
	URLPrefix        string // default wsman
	AllowUnencrypted bool   // default false
	Auth             Auth
	DefaultPorts     Ports
	TrustedHosts     string     // see ParseTrustedHosts; default empty
	Delegation       Delegation // policies about CredSSP, not shown in winrm/config
}

// Service is winrm/config/service. See [MS-WSMV] 2.2.4.36.
type Service struct {
	RootSDDL                         string
	MaxConcurrentOperations          uint32 // deprecated and ignored
	MaxConcurrentOperationsPerUser   uint32 // 1 up, default 1500
	EnumerationTimeoutms             uint32 // idle time between Pulls; 500 up, default 240000
	MaxConnections                   uint32 // 1 to 512, default 300
	MaxPacketRetrievalTimeSeconds    uint32 // time for a whole request; 1 up, default 120
	AllowUnencrypted                 bool   // default false
	Auth                             Auth
	CbtHardeningLevel                string // Strict, Relaxed or None; shown in Auth; default Relaxed
	DefaultPorts                     Ports
	IPv4Filter                       string // see ParseIPFilter; default *
	IPv6Filter                       string // see ParseIPFilter; default *
	EnableCompatibilityHTTPListener  bool   // also port 80; default false
	EnableCompatibilityHTTPSListener bool   // also port 443; default false
	CertificateThumbprint            string // certificate for CredSSP; default empty
	AllowRemoteAccess                bool   // false: policy, or the switch of this machine, refuses all remote requests
}

// Winrs is winrm/config/winrs. See [MS-WSMV] 2.2.4.42.
type Winrs struct {
	AllowRemoteShellAccess bool   // default true
	IdleTimeout            uint32 // ms as stored, default 7200000; see EffectiveIdleTimeout
	MaxConcurrentUsers     uint32 // 1 to 100, default 10
	MaxShellRunTime        uint32 // read-only and ignored
	MaxProcessesPerShell   uint32 // 0 is no limit, default 25
	MaxMemoryPerShellMB    uint32 // 0 is no limit, default 1024
	MaxShellsPerUser       uint32 // 0 is no limit, default 30
}

// minIdleTimeout is the shortest idle time in force. See [MS-WSMV] 2.2.4.42, note 28.
const minIdleTimeout = 60000

// EffectiveIdleTimeout is the idle time after which a shell is deleted: IdleTimeout,
// but never less than one minute.
func (w Winrs) EffectiveIdleTimeout() time.Duration {
	return time.Duration(max(w.IdleTimeout, minIdleTimeout)) * time.Millisecond
}

// MaxSupportedEnvelope is the largest MaxEnvelopeSizekb that is supported, in
// kB. See [MS-WSMV] 2.2.4.10.
const MaxSupportedEnvelope = 1039440

// MaxEnvelopeBytes is the largest request in bytes. A setting above the supported
// 1039440 kB counts as that.
func (w *WinRM) MaxEnvelopeBytes() int64 {
	return int64(min(w.MaxEnvelopeSizekb, MaxSupportedEnvelope)) * 1024
}

// Warnings says what is allowed but unwise in the snapshot, one sentence each.
func (w *WinRM) Warnings() []string {
	var out []string
	if w.MaxEnvelopeSizekb > MaxSupportedEnvelope {
		out = append(out, "MaxEnvelopeSizekb is above the supported 1039440; that limit is in force")
	}
	if w.Client.TrustedHosts != "" {
		out = append(out, "Client/TrustedHosts: the listed hosts are not authenticated and may receive credentials")
	}
	if w.Service.AllowUnencrypted {
		out = append(out, "Service/AllowUnencrypted: requests, and with Basic passwords, are readable on the wire")
	}
	return out
}

// Load reads the snapshot. A value that is damaged or out of range becomes a Problem
// and its default holds, for an address filter the empty one.
func Load(r Reader, d Defaults) (*WinRM, []Problem) {
	w := &WinRM{sources: make([]registry.Source, len(schema))}
	var problems []Problem
	for i := range schema {
		s := &schema[i]
		text, src, bad := s.load(r, d)
		problems = append(problems, bad...)
		s.put(w, text)
		w.sources[i] = src
	}
	var bad []Problem
	w.Client.Delegation, bad = LoadDelegation(r)
	return w, append(problems, bad...)
}
