package spnego

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Tokens of Windows in captured RPC are read, and written with the same bytes.
func TestRecordedWindows(t *testing.T) {
	dir := os.Getenv("CASEMENT_FIXTURES")
	if dir == "" {
		t.Skip("CASEMENT_FIXTURES is not set")
	}
	names, err := filepath.Glob(filepath.Join(dir, "rpc-pdus", "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	inits, resps, mics := 0, 0, 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
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
			n := int(binary.LittleEndian.Uint16(raw[10:])) // auth_length, behind a trailer of eight bytes
			if n == 0 || raw[len(raw)-n-8] != 9 || raw[2] < 11 || raw[2] > 16 {
				continue // no SPNEGO, or no handshake
			}
			token := raw[len(raw)-n:]
			var got []byte
			if token[0] == 0x60 {
				var m negTokenInit
				if err := m.decode(token); err != nil {
					t.Errorf("%x: %v", token, err)
					continue
				}
				inits++
				got, err = m.encode()
			} else {
				var m negTokenResp
				if err := m.decode(token); err != nil {
					t.Errorf("%x: %v", token, err)
					continue
				}
				if resps++; m.mic != nil {
					mics++
				}
				got, err = m.encode()
			}
			if err != nil || !bytes.Equal(got, token) {
				t.Errorf("%v\n got %x\nwant %x", err, got, token)
			}
		}
	}
	if inits == 0 || resps == 0 || mics == 0 {
		t.Errorf("%d initial tokens, %d others, %d MICs", inits, resps, mics)
	}
}
