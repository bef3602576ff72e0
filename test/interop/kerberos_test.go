package interop

import (
	"bufio"
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/krb5"
	"github.com/casementhq/casement/auth/spnego"
	"github.com/casementhq/casement/internal/kdctest"
)

const (
	kerberosRealm    = "PEER.TEST"
	kerberosService  = "HTTP/host.peer.test"
	kerberosPassword = "pass wörd 漢字"
)

// kerberos is a realm of MIT with alice, a service, and what both ends need of it.
type kerberos struct {
	*kdctest.KDC
	cache, keytab string
	client        *krb5.Client
	keys          *krb5.Keytab
	replays       *krb5.Replays
	rc4           bool
}

func newKerberos(t *testing.T, etype string) *kerberos {
	t.Helper()
	k := &kerberos{KDC: kdctest.StartWith(t, kerberosRealm, kdctest.Options{Enctypes: []string{etype}}), replays: krb5.NewReplays(), rc4: etype == kdctest.RC4}
	k.AddPrincipal("alice", kerberosPassword)
	k.AddPrincipal(kerberosService, "")
	k.Admin("modprinc +ok_as_delegate " + kerberosService)
	k.cache, k.keytab = k.CCache("alice", kerberosPassword, "-f"), k.Keytab(kerberosService)
	var err error
	if k.keys, err = krb5.LoadKeytab(k.keytab); err != nil {
		t.Fatal(err)
	}
	k.client, err = krb5.NewClient(krb5.ClientOptions{
		Credentials: auth.Credentials{Username: "alice", Password: kerberosPassword}, Config: k.Config, AllowRC4: k.rc4,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.client.Close() })
	return k
}

// gssPeer is a process with MIT's GSS-API.
type gssPeer struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

type gssAnswer struct {
	Error, Token, Header, Data, User, Key, Padding, Delegated string
	Parts                                                     []string
	Done, Sealed                                              bool
	Flags                                                     int
}

func (k *kerberos) peer(t *testing.T) *gssPeer {
	t.Helper()
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import gssapi").CombinedOutput(); err != nil {
		absent(t, "python3-gssapi is missing: "+strings.TrimSpace(string(out)))
	}
	return startPeer(t, append(k.Env(), "KRB5CCNAME=FILE:"+k.cache, "KRB5_KTNAME=FILE:"+k.keytab, "KRB5RCACHENAME=none:"), python, "kerberos_peer.py")
}

// startPeer starts a process that reads requests and writes answers.
func startPeer(t *testing.T, env []string, name string, args ...string) *gssPeer {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(env, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &gssPeer{t: t, in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 16<<20)
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return p
}

func (p *gssPeer) try(request map[string]any) gssAnswer {
	p.t.Helper()
	line, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Fatal(err)
	}
	if !p.out.Scan() {
		p.t.Fatalf("the peer ended: %v", p.out.Err())
	}
	var a gssAnswer
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		p.t.Fatalf("%v: %s", err, p.out.Bytes())
	}
	return a
}

func (p *gssPeer) do(request map[string]any) gssAnswer {
	p.t.Helper()
	a := p.try(request)
	if a.Error != "" {
		p.t.Fatalf("%v: %s", request["do"], a.Error)
	}
	return a
}

func (p *gssPeer) hex(text string) []byte {
	p.t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

// asClient runs MIT's initiator against our acceptor.
func (p *gssPeer) asClient(start map[string]any, a auth.Acceptor) (gssAnswer, error) {
	p.t.Helper()
	start["do"], start["side"], start["spn"] = "start", "client", kerberosService+"@"+kerberosRealm
	p.do(start)
	var out []byte
	for range 4 {
		answer := p.do(map[string]any{"do": "step", "token": hex.EncodeToString(out)})
		if answer.Token == "" {
			return answer, nil
		}
		var done bool
		var err error
		if out, done, err = a.Step(p.t.Context(), p.hex(answer.Token)); err != nil {
			return answer, err
		}
		if done && answer.Done {
			return answer, nil
		}
	}
	p.t.Fatal("no end")
	return gssAnswer{}, nil
}

// asServer runs our initiator against MIT's acceptor.
func (p *gssPeer) asServer(start map[string]any, i auth.Initiator) error {
	p.t.Helper()
	start["do"], start["side"] = "start", "server"
	p.do(start)
	var in []byte
	for range 4 {
		out, done, err := i.Step(p.t.Context(), in)
		if err != nil {
			return err
		}
		if len(out) == 0 {
			return nil
		}
		answer := p.try(map[string]any{"do": "step", "token": hex.EncodeToString(out)})
		if answer.Error != "" {
			return errors.New(answer.Error)
		}
		if done && answer.Done {
			return nil
		}
		in = p.hex(answer.Token)
	}
	p.t.Fatal("no end")
	return nil
}

func parts(bufs []auth.Buffer) (out [][2]string) {
	for _, b := range bufs {
		kind := "data"
		if b.SignOnly {
			kind = "sign"
		}
		out = append(out, [2]string{kind, hex.EncodeToString(b.Data)})
	}
	return out
}

// rpcMessage is a message as RPC has it: header and trailer are signed, the stub between is encrypted.
func rpcMessage(n int) []auth.Buffer {
	stub := make([]byte, n)
	for i := range stub {
		stub[i] = byte(i * 7)
	}
	return []auth.Buffer{{Data: []byte("rpc header, 24 octets..."), SignOnly: true}, {Data: stub}, {Data: []byte("trailer8"), SignOnly: true}}
}

func joined(bufs []auth.Buffer) (out []byte) {
	for _, b := range bufs {
		out = append(out, b.Data...)
	}
	return out
}

// messages sends sealed and signed ones both ways.
func (p *gssPeer) messages(ctx auth.Context, dce bool) {
	t := p.t
	t.Helper()
	for _, n := range []int{8, 16, 23, 1000, 70000} {
		for _, make := range []func() []auth.Buffer{func() []auth.Buffer { return rpcMessage(n) }, func() []auth.Buffer { return rpcMessage(n)[1:2] }} {
			bufs := make()
			if !dce {
				if len(bufs) > 1 {
					continue // HTTP has data alone
				}
				bufs[0].Data = append(bufs[0].Data, bytes.Repeat([]byte{0}, ctx.(auth.Padder).Padding())...)
			}
			signature, err := ctx.Seal(bufs)
			if err != nil {
				t.Fatal(err)
			}
			if _, seal := ctx.(auth.VariableSizes).SignatureSizes(); len(signature) != seal && (dce || ctx.(auth.Padder).Padding() == 0) {
				t.Errorf("a signature of %d bytes, announced were %d", len(signature), seal)
			}
			if dce || ctx.(auth.Padder).Padding() == 0 {
				a := p.do(map[string]any{"do": "unseal", "header": hex.EncodeToString(signature), "parts": parts(bufs)})
				if want := make(); !a.Sealed || strings.Join(a.Parts, "") != hex.EncodeToString(joined(want)) {
					t.Errorf("%d bytes: MIT reads something else (sealed %v)", n, a.Sealed)
				}
			} else { // MIT wants the padding in a buffer of its own; a stream has it behind the data
				a := p.do(map[string]any{"do": "unwrap", "token": hex.EncodeToString(append(signature, bufs[0].Data...))})
				if a.Data != hex.EncodeToString(joined(make())) {
					t.Errorf("%d bytes: MIT reads something else", n)
				}
			}

			verb := "seal"
			if !dce {
				verb = "seal_padded"
			}
			a := p.do(map[string]any{"do": verb, "parts": parts(make())})
			bufs = make()
			for i := range bufs {
				bufs[i].Data = p.hex(a.Parts[i])
			}
			bufs[len(bufs)/2].Data = append(bufs[len(bufs)/2].Data, p.hex(a.Padding)...)
			if header := p.hex(a.Header); dce && len(header) != ctx.SignatureSize() {
				t.Errorf("MIT has %d bytes, we %d", len(header), ctx.SignatureSize())
			}
			if err := ctx.Unseal(bufs, p.hex(a.Header)); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if !dce {
				bufs[0].Data = bufs[0].Data[:len(bufs[0].Data)-ctx.(auth.Padder).Padding()]
			}
			if !bytes.Equal(joined(bufs), joined(make())) {
				t.Errorf("%d bytes: we read something else", n)
			}

			mic, err := ctx.Sign(make())
			if err != nil {
				t.Fatal(err)
			}
			text := hex.EncodeToString(joined(make()))
			p.do(map[string]any{"do": "verify", "data": text, "token": hex.EncodeToString(mic)})
			if err := ctx.Verify(make(), p.hex(p.do(map[string]any{"do": "sign", "data": text}).Token)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !dce && ctx.(auth.Padder).Padding() == 0 {
		// gss_wrap makes one token without rotation; a sender that splits it behind any number of bytes is read.
		token := p.hex(p.do(map[string]any{"do": "wrap", "data": hex.EncodeToString([]byte("one token, not rotated"))}).Token)
		size := ctx.SignatureSize()
		bufs := []auth.Buffer{{Data: token[size:]}}
		if err := ctx.Unseal(bufs, token[:size]); err != nil || string(bufs[0].Data) != "one token, not rotated" {
			t.Errorf("gss_wrap: %q, %v", bufs[0].Data, err)
		}
	}
}

var kerberosTypes = []string{kdctest.AES256SHA1, kdctest.AES128SHA1, kdctest.AES256SHA2, kdctest.AES128SHA2, kdctest.RC4}

// MIT krb5 at the other end, in both roles, with every encryption type, as HTTP and as RPC use it: tokens, keys, identity, sealed and
// signed messages. See [RFC4121], [RFC4757], [MS-KILE] 3.4.5.1 and 3.4.5.4.1.
func TestKerberosMIT(t *testing.T) {
	for _, etype := range kerberosTypes {
		t.Run(etype, func(t *testing.T) {
			k := newKerberos(t, etype)
			for _, dce := range []bool{false, true} {
				t.Run(fmt.Sprintf("client dce=%v", dce), func(t *testing.T) {
					p := k.peer(t)
					a := krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays, DCE: dce, AllowRC4: k.rc4})
					if _, err := p.asClient(map[string]any{"dce": dce}, a); err != nil {
						t.Fatal(err)
					}
					ctx := a.Context()
					if id := ctx.Identity(); id.User != "alice@"+kerberosRealm || !id.Protected || id.Account == nil {
						t.Errorf("%+v", id)
					}
					if got := p.do(map[string]any{"do": "identity"}); got.Key != hex.EncodeToString(ctx.SessionKey()) {
						t.Error("another key")
					}
					p.messages(ctx, dce)
				})
				t.Run(fmt.Sprintf("server dce=%v", dce), func(t *testing.T) {
					p := k.peer(t)
					i := krb5.NewInitiator(krb5.InitiatorOptions{Client: k.client, SPN: kerberosService, DCE: dce})
					if err := p.asServer(map[string]any{}, i); err != nil {
						t.Fatal(err)
					}
					got := p.do(map[string]any{"do": "identity"})
					if got.User != "alice@"+kerberosRealm || got.Key != hex.EncodeToString(i.Context().SessionKey()) {
						t.Errorf("%+v", got)
					}
					p.messages(i.Context(), dce)
				})
			}
		})
	}
}

// Channel bindings between us and MIT, equal, different and absent, at each level. See [RFC4121] 4.1.1.2 and [MS-KILE] 3.4.5.
func TestKerberosBindings(t *testing.T) {
	k := newKerberos(t, kdctest.AES256SHA1)
	text := func(b *auth.ChannelBindings) string { return bindingText(b) }
	for _, tt := range []struct {
		name       string
		ours, sent *auth.ChannelBindings
		level      auth.Hardening
		refused    bool
	}{
		{"equal", channel, channel, auth.Strict, false},
		{"different, Relaxed", channel, otherChannel, auth.Relaxed, true},
		{"different, None", channel, otherChannel, auth.None, false},
		{"absent, Relaxed", channel, nil, auth.Relaxed, false},
		{"absent, Strict", channel, nil, auth.Strict, true},
		{"no TLS here", nil, channel, auth.Strict, false},
	} {
		t.Run("MIT's client: "+tt.name, func(t *testing.T) {
			a := krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays, Bindings: tt.ours, Hardening: tt.level})
			_, err := k.peer(t).asClient(map[string]any{"bindings": text(tt.sent)}, a)
			if errors.Is(err, auth.ErrBadBindings) != tt.refused || !tt.refused && err != nil {
				t.Error(err)
			}
		})
	}
	for _, tt := range []struct {
		name         string
		ours, theirs *auth.ChannelBindings
		refused      bool
	}{
		{"equal", channel, channel, false},
		{"different", channel, otherChannel, true},
		{"we have none: we say that we bind, so MIT refuses", nil, channel, true},
		{"MIT has none", channel, nil, false},
		{"none", nil, nil, false},
	} {
		t.Run("MIT's server: "+tt.name, func(t *testing.T) {
			i := krb5.NewInitiator(krb5.InitiatorOptions{Client: k.client, SPN: kerberosService, Bindings: tt.ours})
			err := k.peer(t).asServer(map[string]any{"bindings": text(tt.theirs)}, i)
			if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), "BadChannelBindings") {
				t.Error(err)
			}
		})
	}
}

// A forwarded ticket arrives at both ends and works there: MIT's klist and kvno use what we unpacked. See [RFC4121] 4.1.1.1.
func TestKerberosDelegation(t *testing.T) {
	k := newKerberos(t, kdctest.AES256SHA1)
	k.AddPrincipal("cifs/second.peer.test", "")
	for _, dce := range []bool{false, true} {
		t.Run(fmt.Sprintf("MIT's client dce=%v", dce), func(t *testing.T) {
			a := krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays, DCE: dce})
			if _, err := k.peer(t).asClient(map[string]any{"delegate": true, "dce": dce}, a); err != nil {
				t.Fatal(err)
			}
			d := a.Context().(auth.Delegator).Delegated()
			if d == nil {
				t.Fatal("nothing was delegated")
			}
			cache := filepath.Join(t.TempDir(), "ccache")
			if err := os.WriteFile(cache, d.CCache, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("kvno", "-c", "FILE:"+cache, "cifs/second.peer.test")
			cmd.Env = k.Env()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("kvno: %v: %s", err, out)
			}
			// Our own client uses it, too.
			c, err := krb5.NewClient(krb5.ClientOptions{CCache: cache, Config: k.Config})
			if err != nil {
				t.Fatal(err)
			}
			if err := k.peer(t).asServer(map[string]any{}, krb5.NewInitiator(krb5.InitiatorOptions{Client: c, SPN: kerberosService})); err != nil {
				t.Error(err)
			}
		})
	}
	// Not in DCE style: there MIT's mechglue drops what the second of three legs delegates.
	t.Run("MIT's server", func(t *testing.T) {
		p := k.peer(t)
		if err := p.asServer(map[string]any{}, krb5.NewInitiator(krb5.InitiatorOptions{Client: k.client, SPN: kerberosService, Delegate: true})); err != nil {
			t.Fatal(err)
		}
		if got := p.do(map[string]any{"do": "identity"}); got.Delegated != "alice@"+kerberosRealm {
			t.Errorf("delegated: %q", got.Delegated)
		}
	})
	k.Admin("modprinc -ok_as_delegate " + kerberosService)
	c, err := krb5.NewClient(krb5.ClientOptions{Credentials: auth.Credentials{Username: "alice", Password: kerberosPassword}, Config: k.Config})
	if err != nil {
		t.Fatal(err)
	}
	var e *krb5.Error
	if _, _, err := krb5.NewInitiator(krb5.InitiatorOptions{Client: c, SPN: kerberosService, Delegate: true}).Step(t.Context(), nil); !errors.As(err, &e) || e.Code != krb5.DelegationRequired {
		t.Error("to a service that is not trusted:", err)
	}
}

// The same inside of SPNEGO, where MIT signs the list of mechanisms or not as it likes. See [RFC4178] 5 and [MS-SPNG].
func TestKerberosSPNEGO(t *testing.T) {
	k := newKerberos(t, kdctest.AES256SHA1)
	for _, dce := range []bool{false, true} {
		t.Run(fmt.Sprintf("client dce=%v", dce), func(t *testing.T) {
			p := k.peer(t)
			a := spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: func() auth.Acceptor {
				return krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays, DCE: dce})
			}})
			if _, err := p.asClient(map[string]any{"mech": "spnego", "dce": dce}, a); err != nil {
				t.Fatal(err)
			}
			if id := a.Context().Identity(); id.Over(time.Now()) || !id.Over(time.Now().Add(11*time.Hour)) { // tickets of this KDC live ten
				t.Errorf("the proof ends at %v", id.Until)
			}
			p.messages(a.Context(), dce)
		})
		for _, oid := range []asn1.ObjectIdentifier{spnego.OIDKerberos, spnego.OIDKerberosMS} {
			t.Run(fmt.Sprintf("server dce=%v %v", dce, oid), func(t *testing.T) {
				p := k.peer(t)
				i := spnego.NewInitiator(spnego.InitiatorMechanism{OID: oid, New: func() auth.Initiator {
					return krb5.NewInitiator(krb5.InitiatorOptions{Client: k.client, SPN: kerberosService, DCE: dce})
				}})
				if err := p.asServer(map[string]any{"mech": "spnego"}, i); err != nil {
					t.Fatal(err)
				}
				p.messages(i.Context(), dce)
			})
		}
	}
}

// pyspnego (over MIT) at the other end, alone and inside of SPNEGO, with messages as WinRM carries them, and its bindings. See [MS-WSMV]
// 2.2.9.1.
func TestKerberosPyspnego(t *testing.T) {
	k := newKerberos(t, kdctest.AES256SHA1)
	env := append(k.Env(), "KRB5CCNAME=FILE:"+k.cache, "KRB5_KTNAME=FILE:"+k.keytab, "KRB5RCACHENAME=none:")
	start := map[string]any{"do": "start", "host": "host.peer.test", "bindings": bindingText(channel)}
	for _, protocol := range []string{"kerberos", "negotiate"} {
		t.Run(protocol+" client", func(t *testing.T) {
			c := converse(t, env...)
			start["side"], start["protocol"] = "client", protocol
			if a := c.do(start); a.Error != "" {
				t.Fatal(a.Error)
			}
			acceptor := spnego.NewAcceptor(spnego.AcceptorMechanism{OID: spnego.OIDKerberos, New: func() auth.Acceptor {
				return krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays, Bindings: channel, Hardening: auth.Strict})
			}})
			var out []byte
			for range 4 {
				token, _, failure := c.step(out)
				if failure != "" {
					t.Fatal(failure)
				}
				if len(token) == 0 {
					break
				}
				var err error
				if out, _, err = acceptor.Step(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			pyspnegoMessages(t, c, acceptor.Context())
		})
		t.Run(protocol+" server", func(t *testing.T) {
			c := converse(t, env...)
			start["side"], start["protocol"] = "server", protocol
			if a := c.do(start); a.Error != "" {
				t.Fatal(a.Error)
			}
			var initiator auth.Initiator = krb5.NewInitiator(krb5.InitiatorOptions{Client: k.client, SPN: kerberosService, Bindings: channel})
			if protocol == "negotiate" {
				inner := initiator
				initiator = spnego.NewInitiator(spnego.InitiatorMechanism{OID: spnego.OIDKerberos, New: func() auth.Initiator { return inner }})
			}
			var in []byte
			for range 4 {
				token, _, err := initiator.Step(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				if len(token) == 0 {
					break
				}
				var failure string
				if in, _, failure = c.step(token); failure != "" {
					t.Fatal(failure)
				}
			}
			if a := c.do(map[string]any{"do": "identity"}); a.User != "alice@"+kerberosRealm {
				t.Error(a.User, a.Error)
			}
			pyspnegoMessages(t, c, initiator.Context())
		})
	}
}

func pyspnegoMessages(t *testing.T, c *conversation, ctx auth.Context) {
	t.Helper()
	for _, n := range []int{1, 16, 5000} {
		plain := bytes.Repeat([]byte("x"), n)
		data := bytes.Clone(plain)
		header, err := ctx.Seal([]auth.Buffer{{Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		if a := c.do(map[string]any{"do": "unseal", "header": hex.EncodeToString(header), "data": hex.EncodeToString(data)}); a.Data != hex.EncodeToString(plain) {
			t.Errorf("%d bytes: pyspnego reads something else: %s", n, a.Error)
		}
		a := c.do(map[string]any{"do": "seal", "data": hex.EncodeToString(plain)})
		data = c.bytes(a.Data)
		if len(c.bytes(a.Header)) != 60 {
			t.Errorf("its header has %d bytes", len(c.bytes(a.Header)))
		}
		if err := ctx.Unseal([]auth.Buffer{{Data: data}}, c.bytes(a.Header)); err != nil || !bytes.Equal(data, plain) {
			t.Errorf("%d bytes: %v %s", n, err, a.Error)
		}
	}
}

// Clients that want less get less: no proof of the service without the mutual flag, no sealing without the flag for it.
func TestKerberosFlags(t *testing.T) {
	k := newKerberos(t, kdctest.AES256SHA1)
	p := k.peer(t)
	a := krb5.NewAcceptor(krb5.AcceptorOptions{Keytab: k.keys, Replays: k.replays})
	answer, err := p.asClient(map[string]any{"mutual": false}, a)
	if err != nil || !answer.Done || a.Context() == nil {
		t.Fatal(err, answer)
	}
	p.messages(a.Context(), false)
}
