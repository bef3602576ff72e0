package pool

import (
	"encoding/json"
	"time"
)

// Kind names an action.
type Kind string

// The actions. Those that may repeat are asked again where a worker was lost.
const (
	KindRefresh          Kind = "refresh"           // may repeat
	KindDoctor           Kind = "doctor"            // may repeat
	KindQuery            Kind = "query"             // may repeat
	KindRun              Kind = "run"               // a command line in a shell
	KindInvoke           Kind = "invoke"            // a method of a class or instance
	KindService          Kind = "service"           // start, stop, restart, start type
	KindRemoteManagement Kind = "remote-management" // on, off
	KindCopy             Kind = "copy"              // a file to the server
)

// Action is something to be done on servers. Parameters are those of the kind.
type Action struct {
	Kind       Kind            `json:"kind"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
}

// WorkState is how far a work or a part of it is. See spec/console.md 3.11.
type WorkState string

// The states of work.
const (
	Queued         WorkState = "queued"
	Running        WorkState = "running"
	Done           WorkState = "done"
	PartlyFailed   WorkState = "partly failed" // of a whole work
	Failed         WorkState = "failed"
	Cancelled      WorkState = "cancelled"
	OutcomeUnknown WorkState = "outcome unknown" // it was sent, and no answer came
)

// Work is an action on a fixed list of servers.
type Work struct {
	ID      string    `json:"id"`
	Action  Action    `json:"action"`
	Targets []string  `json:"targets"`
	By      string    `json:"by"`
	Created time.Time `json:"created"`
	// Cancelled is when it was cancelled; the zero time is never.
	Cancelled time.Time `json:"cancelled"`
	Tally     Tally     `json:"tally"`
}

// Result is what an action gave on one server. The first that is written counts.
type Result struct {
	Work   string    `json:"work"`
	Server string    `json:"server"`
	State  WorkState `json:"state"`
	// NotRun tells that nothing of it reached the server: it may be tried again, and is
	// done once all the same.
	NotRun bool `json:"not_run,omitempty"`
	// Code is an exit code, a ReturnValue or a status, as the action has; Words
	// name it.
	Code  string `json:"code,omitempty"`
	Words string `json:"words,omitempty"`
	// Output is bounded, and read by Pool.Output; Cut tells that there was more.
	Output string    `json:"output,omitempty"`
	Cut    bool      `json:"cut,omitempty"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended"`
	Worker string    `json:"worker"`
}
