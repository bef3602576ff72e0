package pool

import "time"

// Transport is how a server is reached.
type Transport string

// The transports of an entry.
const (
	Automatic Transport = ""      // WinRM first, DCOM for those that cannot
	WinRM     Transport = "winrm" // WinRM alone
	DCOM      Transport = "dcom"  // DCOM alone
	Both      Transport = "both"  // WinRM, and DCOM must work too: it is checked at each refresh
)

// Server is what somebody wrote down about a machine.
type Server struct {
	// Name identifies the server in the pool, in any case, and is shown. It is
	// what Kerberos and certificates are asked for, and dialled where Address is "".
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	// Endpoint is the URL of WinRM where it is not http://NAME:5985/wsman. Server
	// Manager reaches nothing else; an entry here may.
	Endpoint  string    `json:"endpoint,omitempty"`
	Transport Transport `json:"transport,omitempty"`
	// ResolverPort is that of the endpoint mapper; 0 is 135.
	ResolverPort uint16 `json:"resolver_port,omitempty"`
	// Thumbprint pins the server's certificate, SHA-256 in hexadecimal.
	Thumbprint string   `json:"thumbprint,omitempty"`
	Tags       []string `json:"tags,omitempty"`
	// Credential is the name of the credential to use; "" is that of a tag, else the pool's.
	Credential string `json:"credential,omitempty"`
	// Paused servers are asked nothing.
	Paused bool `json:"paused,omitempty"`
	// NoCounters servers are not asked for performance counters.
	NoCounters bool `json:"no_counters,omitempty"`
	// Former are the names that it had before it was renamed, the newest last: what leads
	// to them finds it.
	Former []string `json:"former,omitempty"`
	// Note is what people want to remember.
	Note    string    `json:"note,omitempty"`
	Added   time.Time `json:"added"`
	AddedBy string    `json:"added_by"`
}
