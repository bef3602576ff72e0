package ipmi

import (
	"context"
	"encoding/binary"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	reference "github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/hal/mock"
	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/transport/udp"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// stubborn is a BMC that sends records in small parts only, and takes thresholds without setting them.
type stubborn struct {
	record []byte
	parts  atomic.Int32 // how many were asked for
	whole  atomic.Int32 // how often the repository was read from its beginning
	added  atomic.Uint32
	most   uint8 // privilege of the user; 0 is that of an administrator
}

// start serves the BMC until the test ends.
func (f *stubborn) start(t *testing.T) Device {
	t.Helper()
	const user, password = "admin", "s3cret"
	f.record = append([]byte{1, 0, 0x51, 1, 51, 0x20, 0, 1, 3, 1, 0x7f, 0x58, 1, 1, 0xff, 0x7f, 0xff, 0x7f, 0x3f, 9, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 7, 60, 70, 20, 127, 0, 100, 90, 80, 0, 5, 10, 2, 2, 0, 0, 0, 0xc8}, "CPU Temp"...)
	b := reference.New(reference.DeviceInfo{DeviceID: 1, IPMIVersion: 0x02}, [16]byte{1}, mock.New())
	u, err := b.Users.Add(2, user)
	if err != nil {
		t.Fatal(err)
	}
	u.SetPassword([]byte(password))
	u.Enabled = true
	access := reference.UserChannelAccess{MaxPrivilege: reference.PrivilegeLevelAdministrator, Enabled: true}
	if f.most != 0 {
		access.MaxPrivilege = reference.PrivilegeLevel(f.most)
	}
	u.ChannelAccess[1] = access
	r := handlers.NewRegistry()
	handlers.RegisterAllHandlers(r)
	for command, answer := range map[types.Command]func(request []byte) ([]byte, types.CompletionCode){
		types.CommandGetSDRRepoInfo: func([]byte) ([]byte, types.CompletionCode) {
			return append(binary.LittleEndian.AppendUint32([]byte{0x51, 1, 0, 0, 0}, f.added.Load()), 0, 0, 0, 0, 2), 0
		},
		types.CommandReserveSDRRepo: func([]byte) ([]byte, types.CompletionCode) { return []byte{1, 0}, 0 },
		types.CommandGetSDR:         f.part,
		types.CommandGetSensorReading: func([]byte) ([]byte, types.CompletionCode) {
			return []byte{85, 0xc0, 0x08}, 0 // above the upper threshold that is not critical
		},
		types.CommandGetSensorThresholds: func([]byte) ([]byte, types.CompletionCode) { return []byte{0x3f, 10, 5, 0, 80, 90, 100}, 0 },
		types.CommandSetSensorThresholds: func([]byte) ([]byte, types.CompletionCode) { return nil, 0 },
	} {
		r.RegisterFunc(command, func(_ context.Context, _ *handlers.HandlerContext, request []byte) ([]byte, types.CompletionCode, error) {
			data, code := answer(request)
			return data, code, nil
		})
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := server.NewServer(b, udp.Wrap(conn), server.WithHandlerRegistry(r))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		s.Close()
		<-done
	})
	return Device{Name: "bmc", Host: "127.0.0.1", Port: conn.LocalAddr().(*net.UDPAddr).Port, User: user, Password: password}
}

// part answers Get SDR: at most 16 bytes, otherwise CAh. See [IPMI] 33.12.
func (f *stubborn) part(request []byte) ([]byte, types.CompletionCode) {
	const most, tooMany = 16, 0xca
	offset, size := int(request[4]), int(request[5])
	if size > most || offset+size > len(f.record) {
		return nil, tooMany
	}
	f.parts.Add(1)
	if offset == 0 {
		f.whole.Add(1)
	}
	return append([]byte{0xff, 0xff}, f.record[offset:offset+size]...), 0
}

// A BMC that ignores thresholds makes the events 1000 and 1001 of the source ipmiprv (spec/winrm.md 8), and an error.
func TestIgnoredThresholds(t *testing.T) {
	f := &stubborn{}
	h := newHost(t, f.start(t))
	s := h.admin()
	i, err := s.Get(t.Context(), sensorPath("1.0.32"), cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the sensor", values(i, "Name", "CurrentReading", "CurrentState", "UpperThresholdNonCritical"), "CPU Temp", "85", "Upper Non-Critical", "80")
	if n := f.parts.Load(); n != 5 { // 5 bytes of the header, 16, 16, 16 and 3
		t.Errorf("%d parts, want 5", n)
	}
	for name, event := range map[string]string{"LowerThresholdNonCritical": "event=1000", "UpperThresholdNonCritical": "event=1001"} {
		changed := i.Clone()
		if err := changed.Set(name, cim.S32(42)); err != nil {
			t.Fatal(err)
		}
		is(t, name, s.Put(t.Context(), changed, cim.PutOptions{}), cim.ErrFailed)
		if log := h.log.String(); strings.Count(log, event) != 1 || !strings.Contains(log, "source=ipmiprv") {
			t.Errorf("the log has no %s:\n%s", event, log)
		}
	}
}

// The records are read again when the BMC says that they were changed.
func TestRecordsAreKept(t *testing.T) {
	f := &stubborn{}
	h := newHost(t, f.start(t))
	s := h.admin()
	for range 3 {
		if n := len(query(t, s, "SELECT * FROM NumericSensor")); n != 1 {
			t.Fatalf("%d sensors", n)
		}
	}
	if n := f.whole.Load(); n != 1 {
		t.Errorf("the records were read %d times, want 1", n)
	}
	f.added.Add(1)
	query(t, s, "SELECT * FROM NumericSensor")
	if n := f.whole.Load(); n != 2 {
		t.Errorf("the records were read %d times after a change, want 2", n)
	}
}

// A BMC gives no session with more than its user may.
func TestPrivilegeOfSessions(t *testing.T) {
	f := &stubborn{most: 2} // user
	d := f.start(t)
	_, err := tryQuery(t, newHost(t, d).admin(), "SELECT * FROM NumericSensor")
	is(t, "an administrator's session", err, cim.ErrFailed)
	d.Privilege = "user"
	if n := len(query(t, newHost(t, d).admin(), "SELECT * FROM NumericSensor")); n != 1 {
		t.Errorf("%d sensors", n)
	}
}
