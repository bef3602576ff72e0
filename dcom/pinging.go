package dcom

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/casementhq/casement/security"
)

// pings is the ping set of one machine ([MS-DCOM] 3.2.6.1). Guarded by Client.mu, but for what the pinger alone uses.
type pings struct {
	running bool
	wanted  map[uint64]int // interfaces held of each object

	// Of the pinger.
	set      uint64
	sequence uint16
	members  map[uint64]bool // of the set at the server
}

// pingPart bounds how many objects one ComplexPing adds.
const pingPart = 4096

// want has an object pinged for. Client.mu is held.
func (m *machine) want(oid uint64) {
	p := &m.pings
	if p.wanted == nil {
		p.wanted = map[uint64]int{}
	}
	p.wanted[oid]++
	if !p.running {
		p.running = true
		m.client.wg.Add(1)
		go m.ping()
	}
}

// unwant is its inverse. Client.mu is held.
func (m *machine) unwant(oid uint64) {
	p := &m.pings
	if p.wanted[oid]--; p.wanted[oid] <= 0 {
		delete(p.wanted, oid)
	}
}

// ping keeps the objects of a machine alive, until there are none or the client is closed.
func (m *machine) ping() {
	c := m.client
	defer c.wg.Done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	period := c.opts.PingPeriod
	timer := time.NewTimer(period)
	defer timer.Stop()
	failures, pinged := 0, time.Now()
	for {
		select {
		case <-c.stop:
			return
		case <-timer.C:
		}
		if m.idle() {
			return
		}
		pctx, done := context.WithTimeout(ctx, period/2)
		err := m.pingOnce(pctx)
		done()
		if err == nil {
			failures = 0
			pinged = time.Now()
			timer.Reset(period)
			continue
		}
		// Three periods are all the time there is. Until then a failed ping is tried again soon, after it in the usual rhythm.
		wait := period
		if time.Since(pinged) < 3*period {
			wait = period >> 3 << min(failures, 1)
		}
		failures++
		c.opts.Log.Warn("dcom: ping failed", "host", m.host, "err", err, "again in", wait)
		timer.Reset(wait)
	}
}

// idle ends the pinger where nothing is wanted and nothing is in the set.
func (m *machine) idle() bool {
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	p := &m.pings
	if len(p.wanted) > 0 || len(p.members) > 0 {
		return false
	}
	p.running, p.set = false, 0
	return true
}

// pingOnce brings the set up to date, or only shows that this client lives.
func (m *machine) pingOnce(ctx context.Context) error {
	p := &m.pings
	var add, del []uint64
	m.client.mu.Lock()
	if p.members == nil {
		p.members = map[uint64]bool{}
	}
	for oid := range p.wanted {
		if !p.members[oid] {
			add = append(add, oid)
		}
	}
	for oid := range p.members {
		if p.wanted[oid] == 0 {
			del = append(del, oid)
		}
	}
	m.client.mu.Unlock()
	if len(add) == 0 && len(del) == 0 {
		code, err := m.simplePing(ctx)
		if err != nil || code == S_OK {
			return err
		}
		if code != OR_INVALID_SET {
			return &Error{HRESULT: FromWin32(code), Op: "SimplePing at " + m.host}
		}
		add = slices.Collect(maps.Keys(p.members))
		p.forgetSet()
	}
	parts := slices.Collect(slices.Chunk(add, pingPart))
	if len(parts) == 0 {
		parts = [][]uint64{nil}
	}
	for _, part := range parts {
		if err := m.complexPing(ctx, part, del); err != nil {
			return err
		}
		del = nil
	}
	return nil
}

func (p *pings) forgetSet() {
	p.set, p.sequence = 0, 0
	clear(p.members)
}

func (m *machine) simplePing(ctx context.Context) (uint32, error) {
	var out StatusResponse
	err := m.resolver(&m.client.opts.Blanket).call(ctx, IIDObjectExporter, opSimplePing, security.GUID{}, &SimplePingRequest{m.pings.set}, &out)
	return out.Status, err
}

// complexPing changes the set. Of objects that are gone the server says only that there are some; they are found one by one.
func (m *machine) complexPing(ctx context.Context, add, del []uint64) error {
	p := &m.pings
	p.sequence++
	var out ComplexPingResponse
	in := &ComplexPingRequest{SetID: p.set, Sequence: p.sequence, Add: add, Del: del}
	if err := m.resolver(&m.client.opts.Blanket).call(ctx, IIDObjectExporter, opComplexPing, security.GUID{}, in, &out); err != nil {
		return err
	}
	switch {
	case out.Status == OR_INVALID_SET && p.set != 0:
		p.forgetSet() // the next round makes a new one
		return &Error{HRESULT: FromWin32(out.Status), Op: "ComplexPing at " + m.host}
	case out.Status == OR_INVALID_OID && len(add) > 1:
		for _, oid := range add {
			if err := m.complexPing(ctx, []uint64{oid}, nil); err != nil {
				return err
			}
		}
	case out.Status != S_OK && out.Status != OR_INVALID_OID:
		return &Error{HRESULT: FromWin32(out.Status), Op: "ComplexPing at " + m.host}
	}
	if p.set == 0 {
		p.set = out.SetID
	}
	// An object that the server does not know is a member all the same: asking again would not bring it back.
	for _, oid := range add {
		p.members[oid] = true
	}
	for _, oid := range del {
		delete(p.members, oid)
	}
	return nil
}
