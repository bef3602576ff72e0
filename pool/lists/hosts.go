package lists

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/casementhq/casement/pool"
)

// readHosts takes the first name of each line, and the address. The lines that
// every system has, of loopback, multicast and the like, are no servers.
func readHosts(b *builder, text string) error {
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		address, zone, _ := strings.Cut(fields[0], "%")
		a, err := netip.ParseAddr(address)
		if err != nil {
			return wrong(n+1, 1+strings.Index(line, fields[0]), "%s is not an address", quoted(fields[0]))
		}
		if a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() || a == broadcast || a == siteLocal {
			continue
		}
		if zone != "" {
			return wrong(n+1, 1+strings.Index(line, fields[0]), "%s is an address of one interface; write one that can be reached without it", quoted(fields[0]))
		}
		if len(fields) == 1 {
			return wrong(n+1, 1+strings.Index(line, fields[0]), "the address %s has no name", fields[0])
		}
		s := pool.Server{Name: fields[1], Address: a.String()}
		if p, there := b.at[strings.ToLower(s.Name)]; there && b.servers[p.index].Address != s.Address {
			b.note(n+1, "%s has another address in line %d, which counts", quoted(s.Name), p.line)
			continue
		}
		after := strings.Index(line, fields[0]) + len(fields[0])
		if err := b.add(n+1, 1+after+strings.Index(line[after:], fields[1]), s); err != nil {
			return err
		}
	}
	return nil
}

var (
	broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	siteLocal = netip.MustParseAddr("fe00::") // ip6-localnet of Debian's file
)

// writeHosts writes those that have an address, and the names of the others as
// comments.
func writeHosts(w io.Writer, servers []pool.Server) error {
	out := bufio.NewWriter(w)
	for _, s := range servers {
		if isAddress(s.Address) && !isAddress(s.Name) {
			fmt.Fprintf(out, "%s\t%s\n", s.Address, s.Name)
		} else {
			fmt.Fprintf(out, "# %s: its address is not in the pool\n", s.Name)
		}
	}
	return out.Flush()
}
