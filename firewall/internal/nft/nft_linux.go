package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/firewall"
)

// tableName is the table in the family inet.
const tableName = "casement"

// buffers are those of a socket that sends a table in one transaction, and that the
// kernel answers rule by rule.
func buffers[Socket interface {
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}](s Socket) error {
	return errors.Join(s.SetReadBuffer(4<<20), s.SetWriteBuffer(4<<20))
}

// Set replaces the table by one for these ports, in one transaction; none removes it.
func Set(ports []firewall.KernelPort) error {
	c, err := nftables.New(nftables.WithSockOptions(buffers))
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	c.AddTable(table) // so that there is one to remove
	c.DelTable(table)
	if len(ports) > 0 {
		c.AddTable(table)
		if err := add(c, table, ports); err != nil {
			return err
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

func add(c *nftables.Conn, table *nftables.Table, ports []firewall.KernelPort) error {
	accept := nftables.ChainPolicyAccept
	input := c.AddChain(&nftables.Chain{Name: "input", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &accept})
	rule := func(in *nftables.Chain, exprs ...[]expr.Any) {
		r := &nftables.Rule{Table: table, Chain: in}
		for _, e := range exprs {
			r.Exprs = append(r.Exprs, e...)
		}
		c.AddRule(r)
	}
	rule(input, loopback(), verdict(expr.VerdictAccept, ""))
	for i, p := range ports {
		chain := c.AddChain(&nftables.Chain{Name: "port" + strconv.Itoa(int(p.Port)) + "-" + strconv.Itoa(i), Table: table})
		for _, r := range p.Rules {
			kind := expr.VerdictDrop
			if r.Accept {
				kind = expr.VerdictAccept
			}
			if !r.From.IsValid() {
				rule(chain, verdict(kind, ""))
				continue
			}
			from, err := within(sourceAddress, r.From, r.To)
			if err != nil {
				return err
			}
			rule(chain, from, verdict(kind, ""))
		}
		begins := begin(p.Port)
		if p.Address.IsValid() {
			to, err := within(destinationAddress, p.Address, p.Address)
			if err != nil {
				return err
			}
			begins = append(begins, to...)
		}
		rule(input, begins, verdict(expr.VerdictJump, chain.Name))
	}
	return nil
}

func verdict(kind expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}
}

// loopback fits what comes in from the machine itself.
func loopback() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFTYPE, Register: 1}, equal(binaryutil.NativeEndian.PutUint16(unix.ARPHRD_LOOPBACK))}
}

func equal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }

// The flags of TCP.
const (
	fin = 1 << iota
	syn
	rst
	_
	ack
)

// begin fits the first segment of a connection to a port: what is connected stays.
func begin(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal([]byte{unix.IPPROTO_TCP}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, equal(binaryutil.BigEndian.PutUint16(port)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{fin | syn | rst | ack}, Xor: []byte{0}}, equal([]byte{syn}),
	}
}

// Where addresses are in the headers of IP: offsets in IPv4 and IPv6.
var (
	sourceAddress      = [2]uint32{12, 8}
	destinationAddress = [2]uint32{16, 24}
)

// within fits an address between two others of the same family.
func within(at [2]uint32, from, to netip.Addr) ([]expr.Any, error) {
	if !from.IsValid() || from.Is4() != to.Is4() || from.Zone()+to.Zone() != "" || to.Less(from) {
		return nil, errors.New("nftables: not a range of addresses")
	}
	family, offset := byte(unix.NFPROTO_IPV4), at[0]
	if from.Is6() {
		family, offset = unix.NFPROTO_IPV6, at[1]
	}
	out := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equal([]byte{family}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(from.AsSlice()))}, // #nosec G115 -- 4 or 16
	}
	if from == to {
		return append(out, equal(from.AsSlice())), nil
	}
	return append(out, &expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: from.AsSlice(), ToData: to.AsSlice()}), nil
}
