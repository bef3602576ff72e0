package wsmanserver

import (
	"time"

	"github.com/casementhq/casement/quota"
)

// Observer is told what the server does, to be counted. Its methods are called by
// many goroutines at once, for each request, and must not block.
type Observer interface {
	// Connection came from the network, and the firewall and MaxConnections let it in,
	// or not.
	Connection(admitted bool)
	// Request was answered. operation is one of a fixed list of words: Identify, Get,
	// Put, Create, Delete, Enumerate, Pull, Release, Subscribe, Unsubscribe, Renew,
	// Command, Receive, Send, Signal, Disconnect, Invoke for all other actions, and
	// Malformed. code is that of the fault, 0 for none.
	Request(operation string, code uint32, took time.Duration)
}

// unobserved is nobody.
type unobserved struct{}

func (unobserved) Connection(bool)                       {}
func (unobserved) Request(string, uint32, time.Duration) {}

var operationNames = map[operation]string{
	opGet: "Get", opPut: "Put", opCreate: "Create", opDelete: "Delete", opEnumerate: "Enumerate", opPull: "Pull", opRelease: "Release",
	opSubscribe: "Subscribe", opUnsubscribe: "Unsubscribe", opRenew: "Renew",
	opCommand: "Command", opReceive: "Receive", opSend: "Send", opSignal: "Signal", opDisconnect: "Disconnect",
}

// operationName is the word for what a request asks for.
func (c *call) operationName() string {
	if c.msg == nil {
		return "Malformed"
	}
	if c.msg.IsIdentify() {
		return "Identify"
	}
	if op, ok := operations[c.msg.Action]; ok {
		return operationNames[op]
	}
	return "Invoke"
}

// Usage is what callers have in use now.
func (s *Server) Usage() quota.Usage { return s.ledger.Usage() }
