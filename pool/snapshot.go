package pool

import "time"

// Snapshot is what is known of one server: one document, replaced as a whole. A
// pointer or slice that is nil was not learned.
type Snapshot struct {
	Server string `json:"server"`
	// Tried is when it was last asked, Contact when it last answered, Full when all
	// of it was last collected; zero times are never.
	Tried   time.Time `json:"tried"`
	Contact time.Time `json:"contact"`
	Full    time.Time `json:"full"`
	State   State     `json:"state"`
	Level   Level     `json:"level"` // of the state and of the thresholds
	// Reason is one sentence that says why the state is not Online, or what needs
	// attention; "" where nothing does. Code and Check are those of the doctor's
	// first failed check.
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"`
	Check  string `json:"check,omitempty"`
	// Transport is the one that was used, Account who we were there.
	Transport Transport `json:"transport,omitempty"`
	Account   string    `json:"account,omitempty"`
	// WhyDCOM says why WinRM was not used where DCOM was.
	WhyDCOM string `json:"why_dcom,omitempty"`
	// DCOMTrouble says what is wrong with DCOM where the entry wants both and WinRM works.
	DCOMTrouble string `json:"dcom_trouble,omitempty"`
	// Missed counts probes without an answer since Contact.
	Missed int `json:"missed,omitempty"`
	// Pending is a worse state that one probe saw; a second that agrees makes it State.
	Pending State `json:"pending,omitempty"`
	// Changes are those of the state in the last day, the newest last.
	Changes []Change `json:"changes,omitempty"`

	Facts    *Facts        `json:"facts,omitempty"`
	Software *Software     `json:"software,omitempty"`
	Disks    []Disk        `json:"disks,omitempty"`
	Services *ServiceTile  `json:"services,omitempty"`
	Events   *EventTile    `json:"events,omitempty"`
	Counters *CounterTile  `json:"counters,omitempty"`
	Roles    []Role        `json:"roles,omitempty"`
	Alerts   []Alert       `json:"alerts,omitempty"`
	Failures []TileFailure `json:"failures,omitempty"`
}

// Facts are what a machine is.
type Facts struct {
	ComputerName string    `json:"computer_name"`
	Domain       string    `json:"domain"`
	InDomain     bool      `json:"in_domain"`
	OS           string    `json:"os"`           // Caption
	Version      string    `json:"version"`      // 10.0.17763
	Windows      bool      `json:"windows"`      // OSType 18
	ProductType  uint32    `json:"product_type"` // 1 client, 2 domain controller, 3 server; 0 where it is not told
	Booted       time.Time `json:"booted"`
	Model        string    `json:"model,omitempty"`
	Manufacturer string    `json:"manufacturer,omitempty"`
	Processors   int       `json:"processors"`
	Memory       uint64    `json:"memory"` // octets
	Addresses    []string  `json:"addresses,omitempty"`
	TimeZone     string    `json:"time_zone,omitempty"`
	// ClockOffset is its clock less ours, in seconds; nil where it was not told.
	ClockOffset *float64 `json:"clock_offset,omitempty"`
	// RestartPending is nil where the machine does not tell.
	RestartPending *bool `json:"restart_pending,omitempty"`
	// ProductID is SerialNumber of Win32_OperatingSystem; "" where the machine has none.
	ProductID string `json:"product_id,omitempty"`
	// RemoteDesktop and Teaming, of network adapters, are nil where the machine does not tell.
	RemoteDesktop *bool `json:"remote_desktop,omitempty"`
	Teaming       *bool `json:"teaming,omitempty"`
	// LastUpdate is the day of the newest update, at midnight UTC; the zero time is not told.
	LastUpdate time.Time `json:"last_update,omitzero"`
}

// Software is what decides how far an older Windows Server can be managed. It is
// asked of 6.0 to 6.3 alone.
type Software struct {
	// Stack is the version of WinRM that Identify told, "3.0"; "" where WinRM did not answer.
	Stack string `json:"stack,omitempty"`
	// PowerShell is the version of Windows Management Framework, "4.0"; "" where there is none.
	PowerShell string `json:"powershell,omitempty"`
	// Framework is the newest .NET Framework, "4.5"; "" where there is none of 4 or later.
	Framework string `json:"framework,omitempty"`
	// CounterFix tells whether KB2682011 is installed, or not needed; nil where it was not told.
	CounterFix *bool `json:"counter_fix,omitempty"`
}

// Disk is a volume.
type Disk struct {
	Name       string `json:"name"`
	Label      string `json:"label,omitempty"`
	FileSystem string `json:"file_system,omitempty"`
	Size       uint64 `json:"size"` // octets
	Free       uint64 `json:"free"`
}

// ServiceTile sums the services up.
type ServiceTile struct {
	Total   int      `json:"total"`
	Running int      `json:"running"`
	Stopped []string `json:"stopped,omitempty"` // start type Automatic, and not running
}

// EventTile counts the events of the last 24 hours in Application, Setup and System.
type EventTile struct {
	// Critical is nil where the host does not tell them from errors: Win32_NTLogEvent
	// has no level of its own for them.
	Critical *int `json:"critical"`
	Errors   int  `json:"errors"`
	Warnings int  `json:"warnings"`
	// More tells that there are more than were counted.
	More bool `json:"more,omitempty"`
	// Kinds are the events by what they are of, errors first and the newest first,
	// at most 48; KindsMore tells that there are others.
	Kinds     []EventKind `json:"kinds,omitempty"`
	KindsMore bool        `json:"kinds_more,omitempty"`
}

// EventKind is events that differ in their time and text alone.
type EventKind struct {
	Log    string    `json:"log"`
	Error  bool      `json:"error,omitempty"` // else a warning
	Source string    `json:"source"`
	ID     uint64    `json:"id"`
	Count  int       `json:"count"`
	Newest time.Time `json:"newest"`
}

// CounterTile is what the performance counters say. Percentages are 0 to 100.
type CounterTile struct {
	CPU       *float64 `json:"cpu"`
	Available *uint64  `json:"available"` // memory, octets
	// Missing says why there are none.
	Missing string `json:"missing,omitempty"`
}

// Role is a role or feature that is installed.
type Role struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Type        string `json:"type"` // Role, Role Service, Feature
}

// Alert is a threshold that is passed.
type Alert struct {
	Resource  string    `json:"resource"` // "CPU", "Memory", "Disk C:", "Service Spooler", "Events"
	Value     string    `json:"value"`
	Threshold string    `json:"threshold"`
	First     time.Time `json:"first"`
	Count     int       `json:"count"`
}

// TileFailure says why a part of the data is missing.
type TileFailure struct {
	Tile   string `json:"tile"`
	Reason string `json:"reason"`
	Code   string `json:"code,omitempty"`
}
