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
	// Missed counts probes without an answer since Contact.
	Missed int `json:"missed,omitempty"`
	// Pending is a worse state that one probe saw; a second that agrees makes it State.
	Pending State `json:"pending,omitempty"`

	Facts    *Facts        `json:"facts,omitempty"`
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
	ProductType  uint32    `json:"product_type"` // 1 client, 2 domain controller, 3 server
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

// EventTile counts the events of the last 24 hours.
type EventTile struct {
	Critical, Errors, Warnings int
}

// CounterTile is what the performance counters say. Percentages are 0 to 100.
type CounterTile struct {
	CPU       *float64 `json:"cpu"`
	Available *uint64  `json:"available"` // memory, octets
	Missing   string   `json:"missing,omitempty"`
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
