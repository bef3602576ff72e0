package lists

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/casementhq/casement/pool"
)

var (
	drawHost = rapid.StringMatching(`[a-z0-9_]{0,8}[a-z](\.[a-z][a-z0-9-]{0,5}[a-z]){0,3}`)
	drawIP   = rapid.Custom(func(t *rapid.T) string {
		b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4")
		if rapid.Bool().Draw(t, "v6") {
			b = append(append(make([]byte, 0, 16), 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0), rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "v6 octets")...)
		} else {
			b[0] = 1 + b[0]%100 // no loopback, no multicast
		}
		return net.IP(b).String()
	})
	drawTag   = rapid.StringMatching(`[=+@A-Za-zäß_-][A-Za-z0-9_./é=-]{0,10}`)
	drawWords = rapid.StringMatching(`['=+@a-z -][ -~äß]{0,30}|`).Filter(func(s string) bool { return strings.TrimSpace(s) == s })
)

var drawServer = rapid.Custom(func(t *rapid.T) pool.Server {
	s := pool.Server{
		Name:       rapid.OneOf(drawHost, drawIP).Draw(t, "name"),
		Address:    rapid.OneOf(rapid.Just(""), drawHost, drawIP).Draw(t, "address"),
		Transport:  rapid.SampledFrom([]pool.Transport{pool.Automatic, pool.WinRM, pool.DCOM, pool.Both}).Draw(t, "transport"),
		Credential: drawWords.Draw(t, "credential"),
		Note:       drawWords.Draw(t, "note"),
		Paused:     rapid.Bool().Draw(t, "paused"),
	}
	s.ResolverPort = rapid.Uint16().Draw(t, "port")
	if rapid.Bool().Draw(t, "pinned") {
		s.Thumbprint = fmt.Sprintf("%x", rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "thumbprint"))
	}
	switch rapid.IntRange(0, 2).Draw(t, "endpoint") {
	case 1:
		s.Endpoint = "https://" + net.JoinHostPort(s.Name, "5986") + "/wsman"
	case 2:
		s.Endpoint = "http://" + net.JoinHostPort(s.Name, fmt.Sprint(rapid.IntRange(1, 5984).Draw(t, "endpoint port"))) + "/x"
	}
	s.Tags = rapid.SliceOfNDistinct(drawTag, 0, 4, strings.ToLower).Draw(t, "tags")
	return s
})

// kept is what a format has a place for.
func kept(f Format, s pool.Server) (pool.Server, bool) {
	switch f {
	case Text:
		return pool.Server{Name: s.Name}, true
	case AdminCenter:
		return pool.Server{Name: s.Name, Tags: s.Tags}, true
	case Hosts:
		return pool.Server{Name: s.Name, Address: s.Address}, isAddress(s.Address) && !isAddress(s.Name)
	case Ansible:
		if strings.EqualFold(s.Address, s.Name) {
			s.Address = ""
		}
		if s.Transport == pool.DCOM {
			s.Endpoint = ""
		}
		return pool.Server{Name: s.Name, Address: s.Address, Endpoint: s.Endpoint, Tags: s.Tags}, true
	default:
		return s, true
	}
}

// Every format that is written is read: as the same servers, as far as it has a place
// for what is known of them, and it is recognized.
func TestRoundTrip(t *testing.T) {
	for _, f := range Writable {
		t.Run(string(f), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				servers := rapid.SliceOfNDistinct(drawServer, 1, 8, func(s pool.Server) string { return strings.ToLower(s.Name) }).Draw(t, "servers")
				var out bytes.Buffer
				if err := Write(&out, f, servers); err != nil {
					t.Fatal(err)
				}
				text := out.String()
				list, err := Read(&out, f, "")
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				var want, got []string
				for _, s := range servers {
					if k, ok := kept(f, s); ok {
						if err := k.Clean(); err != nil {
							t.Fatal(err)
						}
						want = append(want, short(k))
					}
				}
				for _, s := range list.Servers {
					got = append(got, short(s))
				}
				if !slices.Equal(got, want) {
					t.Fatalf("got\n %s\nwant\n %s\nfrom\n%s", strings.Join(got, "\n "), strings.Join(want, "\n "), text)
				}
				if len(list.Notes) > 0 {
					t.Fatalf("notes: %v", list.Notes)
				}
				if found := Detect("", text); found != f && len(want) > 0 && strings.ContainsAny(text, " \t,") {
					t.Fatalf("it is taken for %s:\n%s", found, text)
				}
			})
		})
	}
}
