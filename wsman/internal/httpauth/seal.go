package httpauth

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/casementhq/casement/auth"
)

// recordSize is how much plaintext one part holds under CredSSP. See [MS-WSMV] 2.2.9.1.3.
const recordSize = 16 << 10

// framing is room for what surrounds one sealed part.
const framing = 512

// maxSignature bounds a per-message token header; Kerberos with AES needs 60 bytes.
const maxSignature = 256

// RecordContext is a context that seals into records of its own, as CredSSP's TLS does, and not in place.
type RecordContext interface {
	auth.Context
	// SealRecord appends the record for plain, which is not empty, to dst and returns the length of its trailer.
	SealRecord(dst, plain []byte) (out []byte, trailer int, err error)
	// UnsealRecord returns the plaintext of records, which may lie in their memory.
	UnsealRecord(records []byte) ([]byte, error)
}

// Seal wraps a message for the wire. contentType is that of the plaintext; header is the Content-Type to send.
func Seal(c auth.Context, p Protocol, contentType string, plain []byte) (header string, body []byte, err error) {
	return sealOver(nil, c, p, contentType, plain)
}

// sealOver is Seal into memory that is overwritten, if the message fits.
func sealOver(memory []byte, c auth.Context, p Protocol, contentType string, plain []byte) (header string, body []byte, err error) {
	original := strings.ReplaceAll(contentType, "; ", ";")
	if rc, ok := c.(RecordContext); ok && p == ProtocolCredSSP {
		return sealRecords(memory, rc, original, plain)
	}
	size := c.SignatureSize()
	part := Part{Type: original, Length: len(plain), Field: uint32(size)}
	body = slices.Grow(memory[:0], framing+len(original)+size+len(plain))
	body = appendHead(body, p, &part)
	at := len(body)
	body = append(body, make([]byte, size)...)
	body = append(body, plain...)
	sig, err := c.Seal([]auth.Buffer{{Data: body[at+size:]}})
	if err != nil {
		return "", nil, fmt.Errorf("httpauth: seal %d bytes: %w", len(plain), err)
	}
	if len(sig) != size {
		return "", nil, fmt.Errorf("httpauth: signature of %d bytes, announced were %d", len(sig), size)
	}
	copy(body[at:], sig)
	return ContentType(p, false), appendEnd(body), nil
}

func sealRecords(memory []byte, c RecordContext, original string, plain []byte) (string, []byte, error) {
	multi := len(plain) > recordSize
	body := slices.Grow(memory[:0], len(plain)+(len(plain)/recordSize+1)*framing)
	for {
		piece := plain[:min(len(plain), recordSize)]
		body = appendHead(body, ProtocolCredSSP, &Part{Type: original, Length: len(piece)})
		at := len(body)
		out, trailer, err := c.SealRecord(body, piece)
		if err != nil {
			return "", nil, fmt.Errorf("httpauth: seal %d bytes: %w", len(piece), err)
		}
		body = out
		binary.LittleEndian.PutUint32(body[at-4:], uint32(trailer)) // #nosec G115 -- a length
		if plain = plain[len(piece):]; len(plain) == 0 {
			return ContentType(ProtocolCredSSP, multi), appendEnd(body), nil
		}
	}
}

// Unseal takes a sealed body apart, verifies and decrypts it, overwriting body. The plaintext may have limit
// bytes; contentType is the one that the sender gave for it. Errors: ErrMalformed, ErrTooLarge, and
// auth.ErrMessageAltered, after which the context is of no more use.
func Unseal(c auth.Context, p Protocol, body []byte, limit int) (contentType string, plain []byte, err error) {
	parts, err := DecodeParts(p, body, limit)
	if err != nil {
		return "", nil, err
	}
	if p == ProtocolCredSSP {
		rc, ok := c.(RecordContext)
		if !ok {
			return "", nil, malformed("parts of %s on a connection of another scheme", p)
		}
		return unsealRecords(rc, parts)
	}
	part := &parts[0]
	if part.Field > maxSignature || int(part.Field) > len(part.Data) {
		return "", nil, malformed("signature of %d bytes", part.Field)
	}
	sig, data := part.Data[:part.Field], part.Data[part.Field:]
	// Some mechanisms pad, and some senders count it.
	if len(data) < part.Length || len(data) > part.Length+16 {
		return "", nil, malformed("%d bytes of data, %d were announced", len(data), part.Length)
	}
	if err := c.Unseal([]auth.Buffer{{Data: data}}, sig); err != nil {
		return "", nil, fmt.Errorf("httpauth: unseal: %w", err)
	}
	return part.Type, data[:part.Length], nil
}

func unsealRecords(c RecordContext, parts []Part) (string, []byte, error) {
	plain := parts[0].Data[:0] // plaintexts are shorter than their records, so they fit before the next one
	for i := range parts {
		piece, err := c.UnsealRecord(parts[i].Data)
		if err != nil {
			return "", nil, fmt.Errorf("httpauth: unseal part %d: %w", i, err)
		}
		if len(piece) != parts[i].Length {
			return "", nil, malformed("part %d has %d bytes, %d were announced", i, len(piece), parts[i].Length)
		}
		plain = append(plain, piece...)
	}
	return parts[0].Type, plain, nil
}
