package fleetbench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/internal/fleetsim"
)

func init() {
	clients["casement"] = newOurs
	clients["net/http"] = newBare
}

// ours is one casement.Connection for each host.
type ours []*casement.Connection

func newOurs(t target) (client, error) {
	return dial(t, casement.Options{})
}

func dial(t target, o casement.Options) (ours, error) {
	o.User, o.Password, o.HostsFile, o.TLS.SHA256 = t.User, t.Password, "-", t.Thumbprint
	c := make(ours, len(t.Hosts))
	for n, h := range t.Hosts {
		var err error
		c[n], err = casement.Dial(context.Background(), h.URL, o)
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c ours) ask(ctx context.Context, n int) error {
	id, err := c[n].Identify(ctx, false)
	if err == nil && id.ProductVendor == "" {
		err = fmt.Errorf("no vendor in %+v", id)
	}
	return err
}

func (c ours) close() {
	for _, conn := range c {
		_ = conn.Close()
	}
}

// bare is net/http alone: an Identify as anybody, whose answer is read away.
type bare struct {
	http.Client
	target
}

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

func newBare(t target) (client, error) {
	return &bare{http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- it is a yardstick
	}}, t}, nil
}

func (c *bare) ask(ctx context.Context, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Hosts[n].URL, strings.NewReader(identify))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	req.Header.Set("WSMANIDENTIFY", "unauthenticated")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	return err
}

func (c *bare) close() { c.CloseIdleConnections() }

// BenchmarkIdentify asks every host of a fleet over kept connections: ours sealed
// by NTLM, or over TLS, and net/http without a proof, in turns. The goal is 0.6 of
// its rate and 40 kB for each host that is kept.
func BenchmarkIdentify(b *testing.B) {
	for _, v := range []struct {
		name string
		tls  bool
	}{{"sealed", false}, {"tls", true}} {
		b.Run(v.name, func(b *testing.B) {
			hosts := size(b, 50, 5000)
			fleet := spawn(b, fleetsim.Options{Hosts: hosts, TLS: v.tls})
			var warm [2]best
			kids := [2]*child{start(b, "casement", targetOf(fleet)), start(b, "net/http", targetOf(fleet))}
			var before, after [2]fleetsim.Usage
			var cold [2]best
			for i, c := range kids {
				before[i] = c.usage()
				cold[i].take(c.poll())
				after[i] = c.usage()
			}
			for b.Loop() {
				for i, c := range kids {
					warm[i].take(c.poll())
				}
			}
			n := float64(hosts)
			for i, name := range [2]string{"", "bare-"} {
				cold[i].report(b, hosts, name+"cold")
				b.ReportMetric(float64(after[i].RSS-before[i].RSS)/n/1e3, name+"rss-kB/host")
				b.ReportMetric((float64(after[i].Heap)-float64(before[i].Heap))/n/1e3, name+"heap-kB/host")
				b.ReportMetric(float64(after[i].Goroutines-before[i].Goroutines)/n, name+"goroutines/host")
				warm[i].report(b, hosts, name+"warm")
			}
			b.ReportMetric(warm[1].took.Seconds()/warm[0].took.Seconds(), "x-bare")
			b.ReportMetric(warm[1].cpu.Seconds()/warm[0].cpu.Seconds(), "x-bare-cpu")
			simulator, err := fleet.Usage()
			check(b, err)
			b.ReportMetric(float64(simulator.RSS)/1e6, "simulator-MB")
		})
	}
}
