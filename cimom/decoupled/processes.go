package decoupled

import (
	"net"

	"github.com/casementhq/casement/cimom"
)

// process is one process that is connected as a provider, by one connection or
// several.
type process struct {
	cimom.ProviderProcess
	connections int
	calls       cimom.CallCounts
}

func (p *process) now() cimom.ProviderProcess {
	out := p.ProviderProcess
	out.Calls = p.calls.Calls()
	return out
}

// operations are those of the protocol by the names that requests have;
// enumerate with a condition is a query.
var operations = map[string]cimom.Operation{
	opEnumerate: cimom.OpList, opGet: cimom.OpGet, opCreate: cimom.OpPut, opPut: cimom.OpPut, opDelete: cimom.OpDelete,
	opInvoke: cimom.OpInvoke, opAssociators: cimom.OpQuery, opEvents: cimom.OpEvents,
}

// count counts a request.
func (c *conn) count(q *request) {
	o, known := operations[q.Op]
	if !known || c.calls == nil {
		return
	}
	if o == cimom.OpList && len(q.Where) > 0 {
		o = cimom.OpQuery
	}
	c.calls.Add(o)
}

// join notes that a connection of a process may be used.
func (g *Registrar) join(nc net.Conn, c *conn) {
	var pid uint32
	if g.o.PID != nil {
		pid, _ = g.o.PID(nc)
	}
	g.mu.Lock()
	m := g.members[c]
	m.pid = pid
	g.members[c] = m
	one := g.processes[m]
	if one == nil {
		one = &process{}
		one.Namespace, one.Provider, one.PID = plain(m.namespace), m.provider, pid
		g.processes[m] = one
	}
	one.connections++
	first := one.connections == 1
	c.calls = &one.calls
	g.mu.Unlock()
	if !first {
		return
	}
	if g.o.UserName != nil { // it may take its time
		name := g.o.UserName(m.uid)
		g.mu.Lock()
		one.User = name
		g.mu.Unlock()
	}
	if g.o.Loaded != nil {
		g.o.Loaded(one.now(), true)
	}
}

// leave notes that a connection has ended.
func (g *Registrar) leave(c *conn) {
	g.mu.Lock()
	m := g.members[c]
	delete(g.members, c)
	one := g.processes[m]
	last := false
	if one != nil && c.calls == &one.calls {
		one.connections--
		if last = one.connections == 0; last {
			delete(g.processes, m)
		}
	}
	g.mu.Unlock()
	if last && g.o.Loaded != nil {
		g.o.Loaded(one.now(), false)
	}
}

// Processes are the processes that are connected.
func (g *Registrar) Processes() (list []cimom.ProviderProcess) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.processes {
		list = append(list, one.now())
	}
	return list
}

// Processes are the hosts that run.
func (p *PerUser) Processes() (list []cimom.ProviderProcess) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, u := range p.users {
		for c := range u.conns {
			list = append(list, p.processOf(name, c))
		}
	}
	return list
}

// processOf is the process of a host.
func (p *PerUser) processOf(user string, c *conn) cimom.ProviderProcess {
	out := cimom.ProviderProcess{Provider: p.o.Name, User: user, Calls: c.calls.Calls()}
	if len(p.o.Classes) > 0 {
		out.Namespace = p.o.Classes[0].Namespace
	}
	if s, ok := c.stream.(interface{ PID() int }); ok {
		out.PID = uint32(max(s.PID(), 0)) // #nosec G115 -- not negative
	}
	return out
}
