package cli

import (
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/casementhq/casement/doctor"
)

func TestDoctorTargets(t *testing.T) {
	t.Setenv("CASEMENT_HOSTS", "-")
	for host, want := range map[string]string{
		"srv04":                          "srv04||0|",
		"srv04:5999":                     "srv04|srv04:5999|0|",
		"10.0.4.14":                      "10.0.4.14||0|",
		"fd00::17":                       "fd00::17||0|",
		"[fd00::17]":                     "fd00::17||0|",
		"https://srv04":                  "srv04|https://srv04|0|winrm",
		"winrm://srv04:5999":             "srv04|http://srv04:5999|0|winrm",
		"dcom://srv04":                   "srv04||0|dcom",
		"dcom://srv04:1135":              "srv04||1135|dcom",
		`winmgmts:!\\srv04\root\default`: "srv04||0|dcom",
	} {
		got, err := doctorTarget(host)
		text := strings.Join([]string{got.Name, got.Endpoint, strconv.Itoa(int(got.ResolverPort)), strings.Join(got.Transports, ",")}, "|")
		if err != nil || text != want {
			t.Errorf("%s: %s, %v, want %s", host, text, err, want)
		}
	}
	for _, bad := range []string{".", "ftp://srv04", "dcom://srv04:0", "http://", "http://user@srv04"} {
		if got, err := doctorTarget(bad); err == nil {
			t.Errorf("%s is read as %+v", bad, got)
		}
	}
}

func TestDoctorExitCodes(t *testing.T) {
	for _, c := range []struct {
		r      doctor.Report
		strict bool
		want   int
	}{
		{doctor.Report{Verdict: doctor.OK}, true, 0},
		{doctor.Report{Verdict: doctor.Degraded}, false, 0},
		{doctor.Report{Verdict: doctor.Degraded}, true, 1},
		{doctor.Report{Verdict: doctor.Blocked}, false, 1},
		{doctor.Report{Verdict: doctor.Unknown}, false, 3},
		{doctor.Report{Verdict: doctor.Unknown, Checks: []doctor.Result{{Outcome: doctor.Crash}}}, false, 4},
	} {
		got := 0
		var exit *exitError
		if errors.As(doctorExit(&c.r, c.strict), &exit) {
			got = exit.code
		}
		if got != c.want {
			t.Errorf("%+v, strict %t: %d, want %d", c.r, c.strict, got, c.want)
		}
	}
}

// What nothing explains is unknown, with all that was seen, and ends with 3.
func TestDoctorUnknown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadAtLeast(c, make([]byte, 16), 1)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 4\r\n\r\n<a/>")
			c.Close()
		}
	}()
	t.Setenv("CASEMENT_USER", "joe")
	t.Setenv("CASEMENT_PASSWORD", "secret-4711")
	got := cli(t, "", "casement", "doctor", "http://"+l.Addr().String(), "-v")
	got.want(t, 3, "Cause: unknown", "FAIL  http")
}

func TestDoctorSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := make(chan string, 2) // of one line each
		w := &waiting{left: []string{"resolve", "tcp.5985"}}
		stop := w.sayAfter(lineWriter(out), waitingAfter)
		w.done(doctor.Result{ID: "resolve"})
		time.Sleep(waitingAfter - time.Millisecond)
		if len(out) > 0 {
			t.Error("too early: " + <-out)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if len(out) != 1 || !strings.Contains(<-out, "waiting for tcp.5985") {
			t.Error("nothing is said after the time, or something else")
		}
		stop()
	})
}

type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}
