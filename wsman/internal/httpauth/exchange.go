package httpauth

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/casementhq/casement/auth"
)

// Exchange is one authenticated request and its answer.
type Exchange struct {
	// Identity is who sent the request.
	Identity auth.Identity
	// Scheme is how that was proved: Negotiate, Kerberos, CredSSP, Basic or Certificate.
	Scheme string
	// Mapper completes Identity under Certificate, nil otherwise.
	Mapper Mapper
	// Sealed says, after ReadBody, that the body came sealed; the answer then will be, too.
	Sealed bool
	// ContentType is, after ReadBody, the media type of the body, of the plaintext if it came sealed.
	ContentType string

	protocol Protocol
	st       *connState
	w        http.ResponseWriter
	r        *http.Request
}

// Delegated returns a copy of the credentials that the caller handed over with the proof, to be wiped by who takes
// it; nil if there are none.
func (e *Exchange) Delegated() *auth.Delegation {
	if d, ok := e.st.context.(auth.Delegator); ok {
		return d.Delegated().Clone()
	}
	return nil
}

// ReadBody reads the request's body, at most limit bytes of plaintext, and unseals it. After an error the
// connection is to be closed, which Fail arranges. Errors: ErrTooLarge, ErrMalformed, auth.ErrMessageAltered,
// and auth.ErrNotProtected for a sealed body on a connection without a key.
func (e *Exchange) ReadBody(limit int) ([]byte, error) {
	e.ContentType = e.r.Header.Get("Content-Type")
	protocol, sealed, err := ParseContentType(e.ContentType)
	if err != nil {
		return nil, e.broken(err)
	}
	if !sealed {
		return readLimited(e.r.Body, e.r.ContentLength, limit, nil)
	}
	if e.st.context == nil {
		return nil, e.broken(fmt.Errorf("httpauth: sealed body: %w", auth.ErrNotProtected))
	}
	room := limit + framing + maxSignature
	if protocol == ProtocolCredSSP {
		room += limit/recordSize*framing + limit/8
	}
	raw, err := readLimited(e.r.Body, e.r.ContentLength, room, nil)
	if err != nil {
		return nil, e.broken(err)
	}
	e.Sealed, e.protocol = true, protocol
	contentType, plain, err := Unseal(e.st.context, protocol, raw, limit)
	if err != nil {
		return nil, e.broken(err)
	}
	e.ContentType = contentType
	return plain, nil
}

// broken makes the proof void: a cipher stream that lost its place cannot be taken up again.
func (e *Exchange) broken(err error) error {
	e.st.forget()
	return err
}

// Reply sends the answer in one piece, sealed if the request was. contentType is that of the plaintext; empty
// is application/soap+xml;charset=UTF-8. It may be called once.
func (e *Exchange) Reply(status int, contentType string, body []byte) error {
	if contentType == "" {
		contentType = soapMediaType
	}
	if e.Sealed && len(body) > 0 {
		memory := sealMemory.Get().(*[]byte)
		var err error
		if contentType, body, err = sealOver(*memory, e.st.context, e.protocol, contentType, body); err != nil {
			e.Fail(http.StatusInternalServerError)
			return err
		}
		if cap(body) <= maxSealMemory {
			*memory = body
			defer sealMemory.Put(memory)
		}
	}
	h := e.w.Header()
	if len(body) > 0 {
		h.Set("Content-Type", contentType)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	e.w.WriteHeader(status)
	if _, err := e.w.Write(body); err != nil {
		return fmt.Errorf("httpauth: answer: %w", err)
	}
	return nil
}

// sealMemory keeps the memory of sealed answers; what is larger than maxSealMemory is not kept.
var sealMemory = sync.Pool{New: func() any { return new([]byte) }}

const maxSealMemory = 2 << 20

// Fail answers with a status alone, forgets what was proved, and closes the connection.
func (e *Exchange) Fail(status int) {
	e.st.forget()
	h := e.w.Header()
	h.Del("WWW-Authenticate")
	h.Set("Connection", "close")
	h.Set("Content-Length", "0")
	e.w.WriteHeader(status)
}

// Status returns the HTTP status for an error of ReadBody.
func Status(err error) int {
	if errors.Is(err, ErrTooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// readLimited reads a body of known (or unknown, negative) length into memory, which may be nil, allocating
// little more than arrives.
func readLimited(r io.Reader, length int64, limit int, memory []byte) ([]byte, error) {
	if length > int64(limit) {
		return nil, ErrTooLarge
	}
	body := memory[:0]
	if length >= 0 && length <= max(1<<20, int64(cap(body))) {
		if int64(cap(body)) < length {
			body = make([]byte, length)
		}
		if _, err := io.ReadFull(r, body[:length]); err != nil {
			return nil, fmt.Errorf("httpauth: body of %d bytes: %w", length, err)
		}
		return body[:length], nil
	}
	for {
		if len(body) == cap(body) {
			body = slices.Grow(body, max(len(body), 4<<10))
		}
		n, err := r.Read(body[len(body):min(cap(body), limit+1)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, ErrTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, fmt.Errorf("httpauth: body: %w", err)
		}
	}
}
