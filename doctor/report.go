package doctor

import "time"

// Schema is the name of a report's form, in Report.Schema. Fields may be added
// to it and are never changed.
const Schema = "casement.doctor/1"

// A Report is what an examination found.
type Report struct {
	Schema string       `json:"schema"`
	Target ReportTarget `json:"target"`
	// Command is the doctor's command line for this machine, without options.
	Command string `json:"command,omitempty"`
	From    string `json:"from"`    // the name of this machine
	Account string `json:"account"` // with its domain; "" without one
	// Mechanism is what proved the account: NTLM, Kerberos and so on; "" where nothing did.
	Mechanism string    `json:"mechanism,omitempty"`
	Started   time.Time `json:"started"`
	TookMS    int64     `json:"took_ms"`
	Verdict   Verdict   `json:"verdict"`
	// Transports are "winrm" and "dcom".
	Transports map[string]Reach `json:"transports"`
	// Summary sums each transport up in a few words.
	Summary map[string]string `json:"summary,omitempty"`
	// Cause explains the first failure; nil where nothing failed, or nothing explains it.
	Cause *Cause `json:"cause"`
	// Also are the causes of the other transport's failure, where they differ.
	Also   []Cause  `json:"also,omitempty"`
	Checks []Result `json:"checks"`
	// Not are codes that people know and that were not seen: what it is not.
	Not      []NotCause `json:"not"`
	Remedies []Remedy   `json:"remedies"`
}

// ReportTarget is the machine that was examined.
type ReportTarget struct {
	Input     string   `json:"input"` // as the user named it
	Addresses []string `json:"addresses"`
	OS        *string  `json:"os"` // nil where it was not told
}

// Verdict sums a report up.
type Verdict string

// The verdicts.
const (
	OK       Verdict = "ok"       // every transport that was asked for works
	Degraded Verdict = "degraded" // it works, and something is wrong
	Blocked  Verdict = "blocked"  // it does not work, and the cause is known
	Unknown  Verdict = "unknown"  // it does not work, and no cause explains what was seen
)

// Reach says how far a transport goes.
type Reach string

// What a transport may be.
const (
	ReachWorks    Reach = "works"
	ReachDegraded Reach = "degraded"
	ReachBlocked  Reach = "blocked"
	ReachUnknown  Reach = "unknown"
	ReachNotTried Reach = "not-tried"
)

// Outcome is what a check says.
type Outcome string

// The outcomes.
const (
	Pass  Outcome = "ok"
	Warn  Outcome = "warn" // it works, and should be looked at
	Fail  Outcome = "fail"
	Skip  Outcome = "skip"  // what it needs failed, or it was not asked for
	Info  Outcome = "info"  // worth knowing
	Crash Outcome = "crash" // the check itself is broken
)

// Layer is where in the path a check stands.
type Layer string

// The layers, in the order of the path.
const (
	LayerName      Layer = "name"
	LayerRoute     Layer = "route"
	LayerPort      Layer = "port"
	LayerTLS       Layer = "tls"
	LayerHTTP      Layer = "http"
	LayerClock     Layer = "clock"
	LayerAuth      Layer = "auth"
	LayerWinRM     Layer = "winrm"
	LayerRPC       Layer = "rpc"
	LayerDCOM      Layer = "dcom"
	LayerNamespace Layer = "namespace"
	LayerRights    Layer = "rights"
	LayerQuota     Layer = "quota"
	LayerCallback  Layer = "callback"
)

// A Result is what one check found.
type Result struct {
	ID      string     `json:"id"` // "tcp.dynamic"; stable
	Layer   Layer      `json:"layer"`
	Title   string     `json:"title"` // what it proves, as a sentence
	Outcome Outcome    `json:"result"`
	Code    string     `json:"code,omitempty"` // 0x%08X of what came back
	Name    string     `json:"name,omitempty"` // of that code
	Detail  string     `json:"detail,omitempty"`
	Needs   []string   `json:"needs,omitempty"`
	TookMS  int64      `json:"took_ms"`
	Seen    []Evidence `json:"evidence,omitempty"`
}

// Evidence is something that was observed.
type Evidence struct {
	AtMS int64  `json:"at_ms"` // since the start of the examination
	Saw  string `json:"saw"`
}

// Confidence is how sure a cause is.
type Confidence string

// The confidences.
const (
	Certain  Confidence = "certain"
	Likely   Confidence = "likely" // the codes alone do not decide; the report says which test would
	Possible Confidence = "possible"
)

// A Cause explains why the first failing check fails.
type Cause struct {
	Check      string     `json:"check"` // the ID of the check that names it
	Confidence Confidence `json:"confidence"`
	Row        int        `json:"row,omitempty"` // of the decision table in spec/wmi.md 1.9
	Title      string     `json:"title"`
	For        []string   `json:"for"`
	Against    []string   `json:"against"`
	// Test is what to try to be certain, "" where it is.
	Test string `json:"test,omitempty"`
}

// NotCause is a well-known cause that the report rules out.
type NotCause struct {
	Code  string `json:"code"`
	Means string `json:"means"`
}

// Place is where a remedy is typed.
type Place string

// The places.
const (
	OnConsole Place = "console" // this machine
	OnTarget  Place = "target"
	InDomain  Place = "domain"
	OnNetwork Place = "network"
)

// A Remedy is one way to mend the cause.
type Remedy struct {
	ID       string   `json:"id"`
	Rank     int      `json:"rank"` // 1 is the least intrusive
	Where    Place    `json:"where"`
	Prompt   string   `json:"prompt"` // cmd, powershell, sh or steps
	Commands []string `json:"commands"`
	Undo     []string `json:"undo"`
	Effect   string   `json:"effect"`
	// Fix tells that Apply can carry it out.
	Fix bool `json:"fix"`
	// Verify is the command that shows whether it helped.
	Verify string `json:"verify,omitempty"`
}

// Crashed tells whether a check itself was broken.
func (r *Report) Crashed() bool {
	for _, c := range r.Checks {
		if c.Outcome == Crash {
			return true
		}
	}
	return false
}
