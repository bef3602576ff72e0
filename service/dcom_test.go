package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// dcomService is a service that runs until the test ends, without any listener of
// WinRM.
func dcomService(t *testing.T) *Service {
	t.Helper()
	return loggedDCOMService(t, io.Discard)
}

func loggedDCOMService(t *testing.T, log io.Writer) *Service {
	t.Helper()
	state := at(t, filepath.Join(t.TempDir(), "state"), testTime())
	if err := state.Accounts.SetPassword("Administrator", "Secret-1-word"); err != nil {
		t.Fatal(err)
	}
	if err := state.bootstrapDCOM(""); err != nil {
		t.Fatal(err)
	}
	svc, err := New(state, Options{DCOMPort: -1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- svc.Serve(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := svc.Close(); err != nil {
			t.Error(err)
		}
	})
	<-ready
	return svc
}

func signIn(kind dcerpc.AuthType, user, password string) auth.Initiator {
	start := func() auth.Initiator {
		return ntlm.NewInitiator(ntlm.InitiatorOptions{Credentials: auth.Credentials{Username: user, Password: password}})
	}
	if kind == dcerpc.AuthSPNEGO {
		return spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDNTLM, New: start})
	}
	return start()
}

// listening is the answer of the management interface.
type listening struct{ status, value uint32 }

func (l *listening) UnmarshalNDR(d *ndr.Decoder) { l.status, l.value = d.Uint32(), d.Uint32() }

// The ports answer whatever the state of WinRM (document 003, C-3.19), with the
// accounts of this machine.
func TestDCOMWithoutWinRM(t *testing.T) {
	svc := dcomService(t)
	if open := svc.WinRM.Listening(); len(open) != 0 {
		t.Fatalf("WinRM listens on %q", open)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	now := svc.DCOM()
	for _, address := range []string{now.Resolver, now.WMI} {
		for _, kind := range []dcerpc.AuthType{dcerpc.AuthNTLM, dcerpc.AuthSPNEGO} {
			for password, want := range map[string]bool{"Secret-1-word": true, "wrong": false} {
				err := ask(ctx, address, kind, password)
				if (err == nil) != want {
					t.Errorf("%s, %v, %s: %v", address, kind, password, err)
				}
			}
		}
	}
	at := netip.MustParseAddrPort(now.Resolver)
	client, err := wmiclient.New(at.Addr().String(), wmiclient.Options{Port: at.Port(), Credentials: auth.Credentials{Username: "Administrator", Password: "Secret-1-word"}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.Open(ctx, cim.Caller{}, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := session.Query(ctx, "SELECT Version FROM Win32_OperatingSystem", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := got.Next(ctx, 2); len(rows) != 1 || err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// AllowAnonymousCallback is followed without a restart (checklist 0.33): absent, 0, 1 and
// of a wrong type (0.28 to 0.30), and UnsecAppAccessControlDefault with it (0.30).
func TestCallbackRuleIsFollowed(t *testing.T) {
	svc := dcomService(t)
	rule := svc.wmiOptions(&dcomGate{state: svc.State}).Callbacks.Anonymous
	set := func(name string, v registry.Value) settings.Change {
		return settings.Change{Key: settings.KeyCIMOM, Name: name, Value: v}
	}
	for _, step := range []struct {
		change settings.Change
		want   bool
	}{
		{settings.Change{Key: settings.KeyCIMOM, Name: "Other", Value: registry.SZ("")}, false}, // absent
		{set("AllowAnonymousCallback", registry.DWORD(0)), false},
		{set("AllowAnonymousCallback", registry.DWORD(1)), true},
		{set("AllowAnonymousCallback", registry.SZ("1")), false},
		{set("AllowAnonymousCallback", registry.DWORD(1)), true},
		{set("AllowAnonymousCallback", registry.QWORD(1)), false},
		{set("AllowAnonymousCallback", registry.DWORD(2)), false},
		{set("AllowAnonymousCallback", registry.DWORD(1)), true},
		{set("UnsecAppAccessControlDefault", registry.SZ("1")), false},
		{set("UnsecAppAccessControlDefault", registry.SZ("0")), true},
		{settings.Change{Key: settings.KeyCIMOM, Name: "AllowAnonymousCallback", Delete: true}, false},
	} {
		hiveApply(t, svc.State, step.change)
		if got := rule(); got != step.want {
			t.Errorf("after %+v: %v", step.change, got)
		}
	}
}

// A client that knows nothing but [C706] and [MS-DCOM] 3.1.2.5.1.6: bind and
// ServerAlive2 octet by octet, without signing in. The answer has the version 5.7
// and the address of the resolver.
func TestServerAlive2OnTheWire(t *testing.T) {
	svc := dcomService(t)
	address := svc.DCOM().Resolver
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	exchange := func(pdu string, kind byte) []byte {
		t.Helper()
		b, err := hex.DecodeString(strings.ReplaceAll(pdu, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 16)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, int(binary.LittleEndian.Uint16(head[8:]))-16)
		if _, err := io.ReadFull(c, body); err != nil || head[2] != kind {
			t.Fatalf("PDU %d, %v, want %d", head[2], err, kind)
		}
		return body
	}
	// bind: IObjectExporter 99fcfec4-5260-101b-bbcb-00aa0021347a 0.0, NDR 2.0.
	exchange("05000b03 10000000 4800 0000 01000000 d016 d016 00000000 01 000000 0000 01 00"+
		"c4fefc9960521b10bbcb00aa0021347a 00000000 045d888aeb1cc9119fe808002b104860 02000000", 12)
	// request: operation 5 without arguments.
	answer := exchange("05000003 10000000 1800 0000 02000000 00000000 0000 0500", 2)
	stub := answer[8:]
	if major, minor := binary.LittleEndian.Uint16(stub), binary.LittleEndian.Uint16(stub[2:]); major != 5 || minor != 7 {
		t.Errorf("version %d.%d", major, minor)
	}
	var want []byte
	for _, unit := range utf16.Encode([]rune(strings.Replace(address, ":", "[", 1) + "]")) {
		want = binary.LittleEndian.AppendUint16(want, unit)
	}
	if !bytes.Contains(stub, want) {
		t.Errorf("the answer %q does not tell %s", stub, address)
	}
	if status := binary.LittleEndian.Uint32(stub[len(stub)-4:]); status != 0 {
		t.Errorf("status %#x", status)
	}
}

// Who may activate: the limits and the permissions of the hive as they are now,
// and a level of at least packet integrity. See spec/wmi.md 1.5 and KB5004442; T-08.
func TestWhoMayActivate(t *testing.T) {
	var log safeBuffer
	svc := loggedDCOMService(t, &log)
	for _, name := range []string{"alice", "admin"} {
		if _, err := svc.State.Accounts.AddUser(accounts.NewUser{Name: name, Password: "Secret-1-word"}); err != nil {
			t.Fatal(err)
		}
	}
	member := func(group, name string) {
		t.Helper()
		if err := svc.State.Accounts.AddMember(group, name); err != nil {
			t.Fatal(err)
		}
	}
	member("Administrators", "admin")
	const denied, notRegistered = 0x80070005, 0x80040154
	activate := func(user string, level dcerpc.Level) uint32 {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, err := dcerpc.Dial(ctx, "tcp", svc.DCOM().Resolver, dcerpc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := c.Bind(ctx, dcerpc.SyntaxID{UUID: dcom.IIDActivation},
			c.NewSecurity(dcerpc.AuthNTLM, level, signIn(dcerpc.AuthNTLM, user, "Secret-1-word")))
		if err != nil {
			t.Fatal(err)
		}
		// A class that does not exist: who may activate is told so.
		in := &dcom.RemoteActivationRequest{This: dcom.ORPCThis{Version: dcom.Version}, CLSID: dcom.IIDActivation, IIDs: []security.GUID{dcom.IIDUnknown}, Protseqs: []uint16{7}}
		var out dcom.RemoteActivationResponse
		if err := b.Call(ctx, 0, security.GUID{}, in, &out); err != nil {
			t.Fatal(err)
		}
		return out.Result
	}
	for _, level := range []dcerpc.Level{dcerpc.LevelConnect, dcerpc.LevelPacket} {
		if got := activate("Administrator", level); got != denied {
			t.Errorf("at level %v: %#x, want E_ACCESSDENIED", level, got)
		}
	}
	// The switch for that is followed without a restart, in both directions.
	for value, want := range []uint32{notRegistered, denied} {
		hiveApply(t, svc.State, settings.Change{Key: settings.KeyOle + `\AppCompat`, Name: "RequireIntegrityActivationAuthenticationLevel", Value: registry.DWORD(uint32(value))})
		got := activate("Administrator", dcerpc.LevelPacket)
		for end := time.Now().Add(5 * time.Second); got != want && time.Now().Before(end); got = activate("Administrator", dcerpc.LevelPacket) {
			time.Sleep(5 * time.Millisecond)
		}
		if got != want {
			t.Errorf("RequireIntegrityActivationAuthenticationLevel %d, at level packet: %#x, want %#x", value, got, want)
		}
	}
	for _, step := range []struct {
		why, user string
		change    func()
		want      uint32
	}{
		{"the built-in Administrator", "Administrator", func() {}, notRegistered},
		{"an administrator that is filtered (0.27)", "admin", func() {}, denied},
		{"LocalAccountTokenFilterPolicy 1", "admin", func() { hiveApply(t, svc.State, settings.SetLocalAccountTokenFilterPolicy(true)) }, notRegistered},
		{"a plain account", "alice", func() {}, denied},
		{"Distributed COM Users", "alice", func() { member("Distributed COM Users", "alice") }, notRegistered},
		{"the application refuses", "alice", func() {
			hiveApply(t, svc.State, settings.Change{Key: settings.KeyWMIApplication, Name: "LaunchPermission", Value: comDescriptor(t, "O:BAG:BAD:(A;;CCDCLCSWRP;;;BA)")})
		}, denied},
	} {
		step.change()
		got := activate(step.user, dcerpc.LevelPrivacy)
		for end := time.Now().Add(5 * time.Second); got != step.want && time.Now().Before(end); got = activate(step.user, dcerpc.LevelPrivacy) {
			time.Sleep(5 * time.Millisecond)
		}
		if got != step.want {
			t.Errorf("%s: %#x, want %#x", step.why, got, step.want)
		}
	}
	// Windows logs 10036 for a level that is too low, and 10016 for a descriptor.
	for _, want := range []string{`\Administrator sid=`, "event=10036 class=", `alice sid=`, `event=10016 filtered=false error="MachineLaunchRestriction does not grant Remote Launch`, `event=10016 filtered=true error=`, `error="LaunchPermission does not grant Remote Launch`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, &log)
		}
	}
}

// Who is disabled, deleted or taken out of a group does nothing more over a
// connection that is open.
func TestOpenSessionOfWhoMayNotAnyMore(t *testing.T) {
	svc := dcomService(t)
	hiveApply(t, svc.State, settings.SetLocalAccountTokenFilterPolicy(true))
	for end := time.Now().Add(5 * time.Second); svc.State.Snapshot().FilterTokens && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	store := svc.State.Accounts
	for name, change := range map[string]func(string) error{
		"disabled": func(name string) error { return store.SetDisabled(name, true) },
		"deleted":  store.DeleteUser,
		"removed":  func(name string) error { return store.RemoveMember("Administrators", name) },
	} {
		if _, err := store.AddUser(accounts.NewUser{Name: name, Password: "Secret-1-word"}); err != nil {
			t.Fatal(err)
		}
		if err := store.AddMember("Administrators", name); err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(svc.DCOM().Resolver)
		client, err := wmiclient.New(at.Addr().String(), wmiclient.Options{Port: at.Port(), Credentials: auth.Credentials{Username: name, Password: "Secret-1-word"}})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		session, err := client.Open(ctx, cim.Caller{}, "root", cim.OpenOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		read := func() error {
			_, err := session.GetClass(ctx, "__SystemClass", cim.GetOptions{})
			return err
		}
		if err := read(); err != nil {
			t.Fatalf("%s, before: %v", name, err)
		}
		if err := change(name); err != nil {
			t.Fatal(err)
		}
		if err := read(); cim.StatusOf(err) != cim.ErrAccessDenied {
			t.Errorf("an account that was %s: %v", name, err)
		}
	}
}

// safeBuffer takes a log.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func hiveApply(t *testing.T, s *State, changes ...settings.Change) {
	t.Helper()
	if err := s.Hive.Update(func(tx *registry.Tx) error { return settings.Apply(tx, changes) }); err != nil {
		t.Fatal(err)
	}
}

func comDescriptor(t *testing.T, text string) registry.Value {
	t.Helper()
	sd, err := security.ParseSDDL(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := settings.COMDescriptor(sd)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ask asks the management interface whether the server listens.
func ask(ctx context.Context, address string, kind dcerpc.AuthType, password string) error {
	c, err := dcerpc.Dial(ctx, "tcp", address, dcerpc.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	b, err := c.Bind(ctx, dcerpc.MgmtID, c.NewSecurity(kind, dcerpc.LevelPrivacy, signIn(kind, "Administrator", password)))
	if err != nil {
		return err
	}
	return b.Call(ctx, 2, security.GUID{}, nil, &listening{})
}
