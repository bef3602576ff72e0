package ipmi

import (
	"bytes"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/ipmisim"
)

// relay stands between the provider and a BMC. change gives what the provider gets for a packet of the BMC.
func relay(t *testing.T, d Device, change func(answer []byte) [][]byte) Device {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP(d.Host), Port: d.Port})
	if err != nil {
		t.Fatal(err)
	}
	client := make(chan net.Addr, 1)
	ended := make(chan struct{}, 2)
	go func() {
		defer func() { ended <- struct{}{} }()
		b := make([]byte, 4096)
		for {
			n, from, err := front.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case <-client:
			default:
			}
			client <- from
			_, _ = back.Write(b[:n])
		}
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		b := make([]byte, 4096)
		for {
			n, err := back.Read(b)
			if err != nil {
				return
			}
			to := <-client
			client <- to
			for _, p := range change(bytes.Clone(b[:n])) {
				_, _ = front.WriteTo(p, to)
			}
		}
	}()
	t.Cleanup(func() {
		front.Close()
		back.Close()
		<-ended
		<-ended
	})
	d.Host, d.Port = "127.0.0.1", front.LocalAddr().(*net.UDPAddr).Port
	return d
}

// Packets of somebody else that come before each answer change nothing: cut ones, ones that decrypt to nonsense, clear
// ones, old ones and changed ones.
func TestForgedAnswersAreDropped(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	var old []byte
	var within atomic.Int32
	d := relay(t, device(sim, "bmc"), func(answer []byte) [][]byte {
		kind, body, ok := payload(answer)
		if !ok || kind != payloadIPMI|encrypted|signed {
			return [][]byte{answer}
		}
		within.Add(1)
		cut := bytes.Clone(answer)
		cut[rmcpSize+10], cut[rmcpSize+11] = 3, 0
		changed := bytes.Clone(answer)
		changed[payloadFrom+len(body)-1] ^= 1
		clear := append(bytes.Clone(answer[:payloadFrom]), 0x81, 0x1c, 0x63, 0x20, 4, 0x2d, 0, 200, 0xc0, 0, 0)
		clear[rmcpSize+1], clear[rmcpSize+10] = payloadIPMI, 11
		out := [][]byte{{6, 0, 0xff, 7}, answer[:payloadFrom], cut, changed, clear}
		if old != nil {
			out = append(out, old)
		}
		old = answer
		return append(out, answer)
	})
	h := newHost(t, d)
	all := query(t, h.admin(), "SELECT Name, CurrentReading FROM NumericSensor WHERE Name = 'CPU Temp'")
	if len(all) != 1 || all[0].Get("CurrentReading").String() != "45" || within.Load() < 5 {
		t.Errorf("%d sensors after %d answers", len(all), within.Load())
	}
}

// Somebody between who takes the encryption out of the agreement gets no session.
func TestWeakerAlgorithmsAreRefused(t *testing.T) {
	sim := ipmisim.Start(t, ipmisim.Machine())
	d := relay(t, device(sim, "bmc"), func(answer []byte) [][]byte {
		if kind, body, ok := payload(answer); ok && kind == payloadOpenResponse && len(body) >= 36 {
			body[32] = 0 // no confidentiality
		}
		return [][]byte{answer}
	})
	h := newHost(t, d)
	_, err := tryQuery(t, h.admin(), "SELECT * FROM ComputerSystem")
	is(t, "no encryption", err, cim.ErrFailed)
	if strings.Contains(h.log.String(), "refuses the user") {
		t.Error("it is taken for a wrong password")
	}
}

func FuzzGuard(f *testing.F) {
	packet := func(kind byte, size int) []byte {
		p := make([]byte, payloadFrom+size)
		p[0], p[2], p[3], p[rmcpSize], p[rmcpSize+1], p[rmcpSize+10] = 6, 0xff, 7, formatPlus, kind, byte(size)
		return p
	}
	open := packet(payloadOpenRequest, 32)
	open[payloadFrom+12], open[payloadFrom+20], open[payloadFrom+28] = 3, 4, 1
	f.Add(packet(payloadOpenResponse, 36), packet(payloadRAKP2, 40), packet(payloadIPMI|encrypted|signed, 48))
	f.Add(packet(payloadRAKP2, 72), packet(payloadRAKP4, 24), []byte{6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		go func() {
			drain := make([]byte, 256)
			for {
				if _, err := there.Read(drain); err != nil {
					return
				}
			}
		}()
		g := &guard{Conn: here, user: "u", password: "p"}
		_, _ = g.Write(open)
		_, _ = g.Write(packet(payloadRAKP1, 28))
		for _, p := range [][]byte{a, b, c} {
			within := g.within
			if kind, _, ok := payload(p); g.admit(p) && within && (!ok || kind != payloadIPMI|encrypted|signed) {
				t.Errorf("a packet of type %#x was taken within the session", kind)
			}
		}
	})
}
