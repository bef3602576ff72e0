//go:build unix

package wsmanbench

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>`

// wire is one keep-alive connection that costs this process as little as can be.
type wire struct {
	net.Conn
	br      *bufio.Reader
	request []byte
	status  string // of the last answer
}

// dial connects. headers are whole lines.
func dial(tb testing.TB, s server, body, headers string) *wire {
	tb.Helper()
	u, err := url.Parse(s.URL)
	check(tb, err)
	c, err := net.Dial("tcp", u.Host)
	check(tb, err)
	if s.User != "" && headers == "" {
		headers = "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s.User+":"+s.Password)) + "\r\n"
	}
	request := fmt.Sprintf("POST /wsman HTTP/1.1\r\nHost: %s\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n%sContent-Length: %d\r\n\r\n%s",
		u.Host, headers, len(body), body)
	return &wire{Conn: c, br: bufio.NewReaderSize(c, 16<<10), request: []byte(request)}
}

var contentLength = []byte("Content-Length: ")

// once sends the request and reads the answer away, which must be a success.
func (w *wire) once() error {
	_, err := w.answer()
	if err == nil && w.status != "200" {
		err = fmt.Errorf("HTTP status %s", w.status)
	}
	return err
}

// answer sends the request and reads the answer away: the size of its body.
func (w *wire) answer() (int, error) {
	if _, err := w.Write(w.request); err != nil {
		return 0, err
	}
	w.status = ""
	length := -1
	for {
		line, err := w.br.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if w.status == "" {
			w.status = string(line[9:12])
		}
		if len(line) == 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, contentLength); ok {
			length = 0
			for _, c := range bytes.TrimSpace(v) {
				length = length*10 + int(c-'0')
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("the answer has no length")
	}
	return w.br.Discard(length)
}

// load is what came of many requests over several connections.
type load struct {
	rate    float64       // requests per second of wall time
	cpu     time.Duration // of the server, for each
	mallocs float64       // of the server, for each
}

// hammer sends n requests over conns kept connections.
func hammer(b *testing.B, c *child, conns, n int, headers string) load {
	b.Helper()
	wires := make([]*wire, conns)
	for i := range wires {
		wires[i] = dial(b, c.server, identify, headers)
		check(b, wires[i].once()) // a password is verified here
	}
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	before, began := c.usage(), time.Now()
	for _, w := range wires {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := w.once(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took, after := time.Since(began), c.usage()
	for _, w := range wires {
		_ = w.Close()
	}
	return load{float64(n) / took.Seconds(), (after.CPU - before.CPU) / time.Duration(n), float64(after.Mallocs-before.Mallocs) / float64(n)}
}

// BenchmarkIdentify sends Identify over 16 kept connections to the whole service
// and to net/http with a canned answer, in turns. The goal is 0.4 of its rate.
func BenchmarkIdentify(b *testing.B) {
	for _, v := range []struct{ name, headers string }{
		{"basic", ""},
		{"unauthenticated", "WSMANIDENTIFY: unauthenticated\r\n"},
	} {
		b.Run(v.name, func(b *testing.B) {
			ours, floor := start(b, role+"=service", "CASEMENT_BENCH_PROVIDER=static"), start(b, role+"=canned")
			n := 20000
			if quick() {
				n = 200
			}
			var sum, base load
			rounds := 0
			for b.Loop() {
				for _, of := range []struct {
					c   *child
					sum *load
				}{{ours, &sum}, {floor, &base}} {
					l := hammer(b, of.c, 16, n, v.headers)
					of.sum.rate += l.rate
					of.sum.cpu += l.cpu
					of.sum.mallocs += l.mallocs
				}
				rounds++
			}
			k := float64(rounds)
			b.ReportMetric(sum.rate/k, "req/s")
			b.ReportMetric(base.rate/k, "floor-req/s")
			b.ReportMetric(sum.rate/base.rate, "x-floor")
			b.ReportMetric(float64(sum.cpu.Nanoseconds())/k/1e3, "cpu-µs/req")
			b.ReportMetric(float64(base.cpu.Nanoseconds())/k/1e3, "floor-cpu-µs/req")
			b.ReportMetric(float64(base.cpu)/float64(sum.cpu), "x-floor-cpu")
			b.ReportMetric(sum.mallocs/k, "server-allocs/req")
			b.ReportMetric(base.mallocs/k, "floor-allocs/req")
		})
	}
}

// TestFloorAnswersLikeTheService keeps the comparison honest: what net/http
// sends is as long as the answer of the service.
func TestFloorAnswersLikeTheService(t *testing.T) {
	length := func(c *child) int64 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL, bytes.NewReader([]byte(identify)))
		check(t, err)
		req.SetBasicAuth(c.User, c.Password)
		req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		check(t, err)
		return n
	}
	ours, floor := length(start(t, role+"=service")), length(start(t, role+"=canned"))
	if floor < ours*8/10 || floor > ours*12/10 {
		t.Errorf("the service answers with %d bytes, the canned server with %d", ours, floor)
	}
}
