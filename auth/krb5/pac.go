package krb5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
)

// The PAC of a ticket is read here and not by gokrb5: its reader slices and allocates by lengths that it did not check, insists on parts
// that a PAC of MIT does not have, and takes one service's checksum for another's. See [MS-PAC].

// Buffers of a PAC. See [MS-PAC] 2.4.
const (
	pacLogonInfo       = 1
	pacServerSignature = 6
	pacKDCSignature    = 7
	pacClientInfo      = 10

	maxPAC        = 1 << 17 // bytes; Windows limits a token to 64 kB
	maxPACBuffers = 64
	maxPACGroups  = 8192 // Windows stops at 1,015 for a token
)

// logonInfo is what a domain says of an account. See [MS-PAC] 2.5.
type logonInfo struct {
	name, domain string
	sid          security.SID
	groups       []security.SID
}

var errPAC = errors.New("the PAC is malformed")

// readPAC verifies a PAC with the key of the service's ticket, checks that it is about the ticket's client, and reads it. A nil
// logonInfo without an error is a PAC that describes no account of Windows, as MIT's KDC makes it.
func readPAC(b []byte, key types.EncryptionKey, client types.PrincipalName, realm string, authTime time.Time) (*logonInfo, error) {
	parts, err := pacParts(b)
	if err != nil {
		return nil, err
	}
	if err := verifyPAC(b, parts, key); err != nil {
		return nil, err
	}
	if err := parts[pacClientInfo].checkClient(client, realm, authTime); err != nil {
		return nil, err
	}
	if parts[pacLogonInfo].data == nil {
		return nil, nil
	}
	return readLogonInfo(parts[pacLogonInfo].data)
}

type pacPart struct {
	offset int
	data   []byte
}

// pacParts finds the buffers that matter; each may be there once. See [MS-PAC] 2.3 and 2.4.
func pacParts(b []byte) (map[uint32]pacPart, error) {
	if len(b) < 8 || len(b) > maxPAC || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return nil, errPAC
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxPACBuffers || int(n)*16+8 > len(b) {
		return nil, errPAC
	}
	parts := map[uint32]pacPart{}
	for i := range int(n) {
		entry := b[8+16*i:]
		kind, size, offset := binary.LittleEndian.Uint32(entry), binary.LittleEndian.Uint32(entry[4:]), binary.LittleEndian.Uint64(entry[8:])
		if offset%8 != 0 || offset > uint64(len(b)) || uint64(size) > uint64(len(b))-offset {
			return nil, errPAC
		}
		switch kind {
		case pacLogonInfo, pacServerSignature, pacKDCSignature, pacClientInfo:
			if _, twice := parts[kind]; twice {
				return nil, errPAC
			}
			parts[kind] = pacPart{int(offset), b[offset : offset+uint64(size)]}
		}
	}
	return parts, nil
}

// signatureSize is the length of a signature by its type; 0 for one that we do not know. See [MS-PAC] 2.8.
func signatureSize(kind int32) int {
	switch kind {
	case chksumtype.KERB_CHECKSUM_HMAC_MD5, chksumtype.HMAC_SHA256_128_AES128:
		return 16
	case chksumtype.HMAC_SHA1_96_AES128, chksumtype.HMAC_SHA1_96_AES256:
		return 12
	case chksumtype.HMAC_SHA384_192_AES256:
		return 24
	}
	return 0
}

// verifyPAC checks the server's signature, for which both signatures are zero. See [MS-PAC] 2.8.4.
func verifyPAC(b []byte, parts map[uint32]pacPart, key types.EncryptionKey) error {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return err
	}
	blank := append([]byte(nil), b...)
	for _, kind := range []uint32{pacServerSignature, pacKDCSignature} {
		p := parts[kind]
		if len(p.data) < 4 {
			return errors.New("the PAC is not signed")
		}
		size := signatureSize(int32(binary.LittleEndian.Uint32(p.data)))
		if size == 0 || len(p.data) < 4+size {
			return errPAC
		}
		clear(blank[p.offset+4 : p.offset+4+size])
	}
	signature := parts[pacServerSignature].data
	kind := int32(binary.LittleEndian.Uint32(signature))
	if kind != et.GetHashID() {
		return fmt.Errorf("the PAC's signature is of type %d, which is not that of our key", kind)
	}
	if !et.VerifyChecksum(key.KeyValue, blank, signature[4:4+signatureSize(kind)], usagePAC) {
		return errors.New("the PAC's signature is wrong")
	}
	return nil
}

// checkClient compares PAC_CLIENT_INFO with the ticket. See [MS-PAC] 2.7.
func (p pacPart) checkClient(client types.PrincipalName, realm string, authTime time.Time) error {
	if len(p.data) < 10 {
		return errPAC
	}
	n := int(binary.LittleEndian.Uint16(p.data[8:]))
	if n%2 != 0 || n > len(p.data)-10 {
		return errPAC
	}
	const epoch = 11644473600 // seconds from 1601 to 1970
	if int64(binary.LittleEndian.Uint64(p.data)/1e7)-epoch != authTime.Unix() {
		return errors.New("the PAC belongs to another sign-in")
	}
	name := utf16Text(p.data[10 : 10+n])
	own := strings.Join(client.NameString, "/")
	if !strings.EqualFold(name, own) && !strings.EqualFold(name, own+"@"+realm) {
		return errors.New("the PAC belongs to another account")
	}
	return nil
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// groupEnabled is an attribute of a group: it counts in access checks. See [MS-PAC] 2.2.1.
const groupEnabled = 4

type membership struct{ rid, attributes uint32 }

// readLogonInfo decodes KERB_VALIDATION_INFO: first the structure, then what its pointers mean, in their order.
func readLogonInfo(b []byte) (*logonInfo, error) {
	// Type serialization version 1, little-endian: two headers of eight octets. See [MS-RPCE] 2.2.6.
	if len(b) < 16 || b[0] != 1 || b[1] != 0x10 {
		return nil, errPAC
	}
	d := ndr.NewDecoder(b[16:], ndr.Format{})
	if !d.Pointer() {
		return nil, errPAC
	}
	d.Raw(6 * 8) // times
	var names [6]bool
	for i := range names { // EffectiveName, FullName, LogonScript, ProfilePath, HomeDirectory, HomeDirectoryDrive
		names[i] = stringHeader(d)
	}
	d.Uint16() // LogonCount
	d.Uint16() // BadPasswordCount
	userID, primary := d.Uint32(), d.Uint32()
	d.Uint32() // GroupCount, again as the array's own count
	groups := d.Pointer()
	d.Uint32() // UserFlags: the pointers say the same
	d.Raw(16)  // UserSessionKey
	server, domain := stringHeader(d), stringHeader(d)
	domainID := d.Pointer()
	d.Raw(8 + 4 + 4 + 8 + 8 + 4 + 4) // Reserved1 to Reserved3
	d.Uint32()                       // SidCount
	extra, resourceDomain := d.Pointer(), d.Pointer()
	d.Uint32() // ResourceGroupCount
	resources := d.Pointer()

	out := new(logonInfo)
	for i, present := range names {
		if s := wideString(d, present); i == 0 {
			out.name = s
		}
	}
	members := memberships(d, groups)
	wideString(d, server)
	out.domain = wideString(d, domain)
	domainSID := sidValue(d, domainID)
	extraSIDs := sidsWithAttributes(d, extra)
	resourceSID := sidValue(d, resourceDomain)
	resourceMembers := memberships(d, resources)
	if d.Err() != nil {
		return nil, errPAC
	}
	// See [MS-KILE] 3.4.5.3 for the order. UserId 0: the first of the extra SIDs is the account's.
	if userID != 0 {
		if domainSID.IsZero() {
			return nil, errPAC
		}
		out.sid = domainSID.WithRID(userID)
		out.groups = append(out.groups, domainSID.WithRID(primary))
	} else if len(extraSIDs) > 0 {
		out.sid, extraSIDs = extraSIDs[0], extraSIDs[1:]
	}
	out.add(domainSID, members)
	for _, s := range extraSIDs {
		out.addSID(s)
	}
	out.add(resourceSID, resourceMembers)
	return out, nil
}

func (l *logonInfo) add(domain security.SID, members []membership) {
	for _, m := range members {
		if m.attributes&groupEnabled != 0 && !domain.IsZero() {
			l.addSID(domain.WithRID(m.rid))
		}
	}
}

func (l *logonInfo) addSID(s security.SID) {
	if s.IsZero() || s == l.sid {
		return
	}
	for _, have := range l.groups {
		if have == s {
			return
		}
	}
	l.groups = append(l.groups, s)
}

// stringHeader reads RPC_UNICODE_STRING without its characters.
func stringHeader(d *ndr.Decoder) bool {
	d.Align(4)
	d.Uint16()
	d.Uint16()
	return d.Pointer()
}

// wideString reads the characters: a conformant varying array.
func wideString(d *ndr.Decoder, present bool) string {
	if !present {
		return ""
	}
	limit := d.Count(1<<15, 0)
	if d.Count(1<<15, 0) != 0 {
		d.Fail("a string that does not begin at its begin")
	}
	n := d.Count(limit, 2)
	return utf16Text(d.Raw(2 * n))
}

func memberships(d *ndr.Decoder, present bool) []membership {
	if !present {
		return nil
	}
	n := d.Count(maxPACGroups, 8)
	out := make([]membership, n)
	for i := range out {
		out[i] = membership{d.Uint32(), d.Uint32()}
	}
	return out
}

// sidValue reads an RPC_SID: the count of its sub-authorities stands before it, too.
func sidValue(d *ndr.Decoder, present bool) security.SID {
	if !present {
		return security.SID{}
	}
	n := d.Count(15, 4)
	b := d.Raw(8 + 4*n)
	if b == nil {
		return security.SID{}
	}
	sid, used, err := security.DecodeSID(b)
	if err != nil || used != len(b) {
		d.Fail("a SID is malformed")
	}
	return sid
}

func sidsWithAttributes(d *ndr.Decoder, present bool) []security.SID {
	if !present {
		return nil
	}
	n := d.Count(maxPACGroups, 8)
	entries := make([]struct {
		present    bool
		attributes uint32
	}, n)
	for i := range entries {
		entries[i].present, entries[i].attributes = d.Pointer(), d.Uint32()
	}
	var out []security.SID
	for _, e := range entries {
		sid := sidValue(d, e.present)
		if e.attributes&groupEnabled != 0 {
			out = append(out, sid)
		}
	}
	return out
}
