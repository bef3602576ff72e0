package ntlm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/casementhq/casement/auth"
)

// recorded gives the NTLM messages that Windows exchanged in captured RPC, bare or within SPNEGO.
func recorded(t *testing.T) [][]byte {
	t.Helper()
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES is not set")
	}
	var out [][]byte
	for _, name := range []string{"windows-dcom-ctxids-clear.jsonl", "windows-dcom-integrity.jsonl"} {
		f, err := os.Open(filepath.Join(dir, "rpc-pdus", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var pdu struct{ PDU string }
			if err := json.Unmarshal(lines.Bytes(), &pdu); err != nil {
				t.Fatal(err)
			}
			raw, err := hex.DecodeString(pdu.PDU)
			if err != nil {
				t.Fatal(err)
			}
			n := int(binary.LittleEndian.Uint16(raw[10:])) // auth_length of the PDU, whose token stands last
			if at := bytes.Index(raw[len(raw)-n:], signature); at >= 0 {
				out = append(out, raw[len(raw)-n+at:])
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Windows' messages are read, and what is written from that has Windows' bytes, but for the product's version.
func TestRecordedWindows(t *testing.T) {
	var count [4]int
	for _, raw := range recorded(t) {
		kind := binary.LittleEndian.Uint32(raw[8:])
		count[kind]++
		switch kind {
		case typeNegotiate:
			var m negotiate
			if err := m.decode(raw); err != nil || m.flags&(flagUnicode|flagESS|flag128) != flagUnicode|flagESS|flag128 {
				t.Errorf("%v: flags %x", err, m.flags)
			}
		case typeChallenge:
			var m challenge
			if err := m.decode(raw); err != nil {
				t.Error(err)
				continue
			}
			if _, ok := m.targetInfo.get(avTimestamp); !ok || m.targetName == "" {
				t.Errorf("challenge %+v", m)
			}
			got, err := m.encode()
			sameButVersion(t, err, got, raw, 48)
		case typeAuthenticate:
			var m authenticate
			if err := m.decode(raw); err != nil {
				t.Error(err)
				continue
			}
			if len(m.ntResponse) == 24 { // this network had NTLMv1 permitted; we do not
				_, a := pair("")
				a.negotiate, a.flags = []byte{}, m.flags
				if _, _, err := a.Step(t.Context(), raw); !errors.Is(err, auth.ErrLogonFailure) {
					t.Errorf("NTLMv1: %v", err)
				}
				continue
			}
			var c clientChallenge
			if err := c.decode(m.ntResponse[16:]); err != nil || c.pairs.flags()&avFlagMIC == 0 || !m.hasMIC || m.user == "" {
				t.Errorf("%v: %+v", err, m)
			}
			got, err := m.encode()
			sameButVersion(t, err, got, raw, 64)
		}
	}
	if count[typeNegotiate] == 0 || count[typeChallenge] == 0 || count[typeAuthenticate] == 0 {
		t.Errorf("messages found by type: %v", count)
	}
}

func sameButVersion(t *testing.T, err error, got, raw []byte, at int) {
	t.Helper()
	raw = bytes.Clone(raw)
	raw = raw[:min(len(raw), len(got))] // SPNEGO's MIC may follow
	copy(raw[at:], version[:])
	if err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%v\n got %x\nwant %x", err, got, raw)
	}
}
