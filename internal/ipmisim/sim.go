// Package ipmisim runs ipmi_sim of OpenIPMI, a BMC on the LAN interface, for tests of several packages. It is not part
// of the product.
package ipmisim

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The users of a simulated BMC: one who may do everything, and one with the privilege of a user. They have the same
// password.
const (
	User     = "admin"
	Reader   = "reader"
	Password = "s3cret-of-bmc"
)

// Sim is a simulated BMC.
type Sim struct {
	Host string
	Port int

	t    testing.TB
	dir  string
	stop func()
}

// Start runs a BMC until the test ends, with the sensors, the event log and the users that its commands make (see
// ipmi_sim_cmd(5)); the management controller has the address 0x20. Where ipmi_sim is not installed the test is
// skipped, and fails on the build machine.
func Start(t testing.TB, commands string) *Sim {
	t.Helper()
	if _, err := exec.LookPath("ipmi_sim"); err != nil {
		if os.Getenv("CASEMENT_CI") == "1" {
			t.Fatal("ipmi_sim is not installed; on the build machine every peer must be there")
		}
		t.Skip("ipmi_sim is not installed (Debian package openipmi)")
	}
	s := &Sim{Host: "127.0.0.1", Port: freePort(t), t: t, dir: t.TempDir()}
	s.write("sim.emu", "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n"+commands+"\nmc_enable 0x20\n")
	s.Restart()
	return s
}

// Restart runs the BMC again on the same port, with what its commands made.
func (s *Sim) Restart() {
	s.t.Helper()
	state := filepath.Join(s.dir, fmt.Sprintf("state-%d", time.Now().UnixNano()))
	if err := os.Mkdir(state, 0o700); err != nil {
		s.t.Fatal(err)
	}
	s.write("lan.conf", fmt.Sprintf(`name "bmc"
set_working_mc 0x20
  startlan 1
    addr %s %d
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 2 true "%s" "%s" admin 10 none md2 md5 straight
  user 3 true "%s" "%s" user 10 none md2 md5 straight
`, s.Host, s.Port, User, Password, Reader, Password))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "ipmi_sim", "-n", "-c", filepath.Join(s.dir, "lan.conf"), "-f", filepath.Join(s.dir, "sim.emu"), "-s", state)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		cancel()
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	s.stop = func() { cancel(); <-ended }
	s.t.Cleanup(s.Stop)
	if !s.answers(ended) {
		s.Stop()
		s.t.Fatalf("ipmi_sim does not answer:\n%s", output.String())
	}
}

// Stop ends the BMC; the port answers no more.
func (s *Sim) Stop() { s.stop() }

// answers waits until the BMC answers a ping of ASF. See [IPMI] 13.2.3.
func (s *Sim) answers(ended <-chan struct{}) bool {
	conn, err := net.Dial("udp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return false
	}
	defer conn.Close()
	ping := []byte{6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 1, 0, 0}
	for range 100 {
		select {
		case <-ended:
			return false
		default:
		}
		_ = conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := conn.Write(ping); err == nil {
			if _, err := conn.Read(make([]byte, 64)); err == nil {
				return true
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func (s *Sim) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// Tool runs ipmitool against the BMC and returns what it prints; without ipmitool, "" and ok false.
func (s *Sim) Tool(args ...string) (output string, ok bool) {
	s.t.Helper()
	if _, err := exec.LookPath("ipmitool"); err != nil {
		return "", false
	}
	file := filepath.Join(s.dir, "password")
	s.write("password", Password)
	all := append([]string{"-I", "lanplus", "-C", "3", "-H", s.Host, "-p", fmt.Sprint(s.Port), "-U", User, "-f", file}, args...)
	out, err := exec.Command("ipmitool", all...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ipmitool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), true
}

// Machine are the commands of a small machine: a temperature with six thresholds of which the two that are not
// critical can be set, a voltage, a temperature below zero, a switch, and two records in the event log.
func Machine() string {
	lines := []string{
		"sel_enable 0x20 1000 0x0a",
		"sensor_add 0x20 0 1 0x01 0x01",
		"sensor_set_threshold 0x20 0 1 settable 111111 0x64 0x5a 0x50 0x00 0x05 0x0a",
		"sensor_set_value 0x20 0 1 0x2d 0",
		"sensor_set_hysteresis 0x20 0 1 readable 0x02 0x02",
		"sensor_set_event_support 0x20 0 1 enable scanning per-state 000111111111111 000111111111111 000000010000001 000000000000000",
		record(0x01, "CPU Temp", 0x20, 0, 1, 3, 1, 0x7f, 0x58, 0x01, 0x01, 0xff, 0x7f, 0xff, 0x7f, 0x3f, 0x09, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 7, 60, 70, 20, 127, 0, 100, 90, 80, 0, 5, 10, 2, 2, 0, 0, 0),
		"sensor_add 0x20 0 2 0x02 0x01",
		"sensor_set_threshold 0x20 0 2 readable 111111 0xdc 0xd2 0xcd 0xaa 0xaf 0xb4",
		"sensor_set_value 0x20 0 2 0xc3 0",
		"sensor_set_event_support 0x20 0 2 enable scanning per-state 000000000000000 000000000000000 000000000000000 000000000000000",
		record(0x01, "12V", 0x20, 0, 2, 7, 1, 0x7f, 0x44, 0x02, 0x01, 0xff, 0x7f, 0xff, 0x7f, 0x3f, 0x00, 0, 4, 0, 0, 6, 0, 5, 0, 0, 0xe1, 0, 0, 0, 0, 255, 0, 220, 210, 205, 170, 175, 180, 0, 0, 0, 0, 0),
		"sensor_add 0x20 0 3 0x01 0x01",
		"sensor_set_value 0x20 0 3 0xf6 0",
		"sensor_set_event_support 0x20 0 3 enable scanning per-state 000000000000000 000000000000000 000000000000000 000000000000000",
		record(0x01, "Ambient", 0x20, 0, 3, 7, 1, 0x7f, 0x40, 0x01, 0x01, 0, 0, 0, 0, 0, 0, 0x80, 1, 0, 0, 5, 0, 0, 0, 0, 0xf0, 0, 0, 0, 0, 127, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"sensor_add 0x20 0 4 0x05 0x6f",
		"sensor_set_bit 0x20 0 4 0 1 0",
		"sensor_set_event_support 0x20 0 4 enable scanning per-state 000000000000000 000000000000000 000000000000000 000000000000000",
		record(0x02, "Intrusion", 0x20, 0, 4, 23, 1, 0x63, 0x40, 0x05, 0x6f, 0x03, 0, 0x03, 0, 0x03, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"sel_add 0x20 0x02 0x0f 0xac 0xc1 0x49 0x20 0x00 0x04 0x10 0x72 0x6f 0x02 0xff 0xff",
		"sel_add 0x20 0xdd 0x7b 0xfe 0xc4 0x49 0x37 0x01 0x00 0x00 0x00 0x00 0x00 0xc0 0x00",
	}
	return strings.Join(lines, "\n")
}

// record is the command that adds a record to the SDR repository: its type, its name, and the bytes between the header
// and the name. See [IPMI] 43.
func record(kind byte, name string, body ...byte) string {
	const version, latin = 0x51, 0xc0
	body = append(append(body, latin|byte(len(name))), name...)
	var b strings.Builder
	b.WriteString("main_sdr_add 0x20")
	for _, c := range append([]byte{0, 0, version, kind, byte(len(body))}, body...) {
		fmt.Fprintf(&b, " %#02x", c)
	}
	return b.String()
}
