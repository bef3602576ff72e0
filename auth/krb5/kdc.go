package krb5

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/auth/ntlm"
)

// The conversation with KDCs is ours, over gokrb5's messages: its own client takes no context and no dialer, allocates what a stranger's
// length field says, renews in goroutines that nobody can end in time, and puts a wrong realm into requests behind a second referral.

const (
	maxKDCAnswer  = 1 << 18 // bytes
	maxReferrals  = 8
	maxIterations = 1 << 20 // of PBKDF2: about a second; the default is 4096
	kdcPatience   = 4 * time.Second
	tagASRep      = cbasn1.Tag(0x60 | 11)
	tagTGSRep     = cbasn1.Tag(0x60 | 13)
)

// forever is the end of a ticket's life that we ask for: the KDC shortens it. Windows asks for the same.
var forever = time.Date(2037, 9, 13, 2, 48, 5, 0, time.UTC)

// kdcs are the addresses of a realm, the first to try first.
func (c *Client) kdcs(ctx context.Context, realm string) ([]string, error) {
	list := c.opts.KDCs[realm]
	if len(list) == 0 {
		for _, r := range c.config.Realms {
			if r.Realm == realm {
				list = append(list, r.KDC...)
			}
		}
	}
	var out []string
	for _, a := range list {
		if a = strings.TrimPrefix(a, "tcp/"); strings.Contains(a, "//") {
			continue // a proxy of [MS-KKDCP]
		}
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(strings.Trim(a, "[]"), "88")
		}
		out = append(out, a)
	}
	if len(out) > 0 {
		return out, nil
	}
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "kerberos", "tcp", realm)
	for _, r := range records {
		out = append(out, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	if len(out) == 0 {
		return nil, &Error{Code: NoAuthenticatingAuthority, Err: err,
			Detail: "no KDC of " + realm + " is known: neither in the configuration nor in DNS (_kerberos._tcp." + realm + ")"}
	}
	return out, nil
}

// ask sends a request to a realm's KDCs until one answers. The answer is of the awaited tag or a *messages.KRBError.
func (c *Client) ask(ctx context.Context, realm string, request []byte, awaited cbasn1.Tag) ([]byte, *messages.KRBError, error) {
	addresses, err := c.kdcs(ctx, realm)
	if err != nil {
		return nil, nil, err
	}
	var failures []error
	for _, address := range addresses {
		answer, err := c.askOne(ctx, address, request)
		if err == nil && whole(answer, awaited) {
			return answer, nil, nil
		}
		if err == nil {
			var refusal messages.KRBError
			switch {
			case !whole(answer, tagKRBError) || refusal.Unmarshal(answer) != nil:
				err = errors.New("its answer is malformed")
			case refusal.ErrorCode == errorcode.KDC_ERR_SVC_UNAVAILABLE:
				err = errors.New("it is unavailable")
			default:
				return nil, &refusal, nil
			}
		}
		failures = append(failures, fmt.Errorf("%s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, nil, &Error{Code: NoAuthenticatingAuthority, Detail: "no KDC of " + realm + " answers", Err: errors.Join(failures...)}
}

// askOne makes one exchange over TCP. See [RFC4120] 7.2.2.
func (c *Client) askOne(ctx context.Context, address string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, kdcPatience)
	defer cancel()
	conn, err := c.opts.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(appendData(nil, request)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxKDCAnswer {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	answer := make([]byte, n)
	_, err = io.ReadFull(conn, answer)
	return answer, err
}

func nonce() (int, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return int(binary.BigEndian.Uint32(b[:]) & 0x7fffffff), err
}

func kdcOptions(bits ...int) (o messages.KDCReqBody) {
	o.KDCOptions = types.NewKrbFlags()
	for _, b := range bits {
		types.SetFlag(&o.KDCOptions, b)
	}
	return o
}

// signIn gets a ticket-granting ticket by password or keytab. See [RFC4120] 3.1.
func (c *Client) signIn(ctx context.Context) (*credential, error) {
	realm, etypes := c.owner.realm, c.etypes()
	switch cred, keytab := c.secrets(); {
	case keytab != nil:
		etypes = slices.DeleteFunc(etypes, func(id int32) bool { _, ok := keytab.find(c.owner, id); return !ok })
	case cred.Password == "":
		etypes = slices.DeleteFunc(etypes, func(id int32) bool { return id != etypeID.RC4_HMAC })
	}
	if len(etypes) == 0 {
		return nil, &Error{Code: NoCredentials, Detail: "there is no permitted key of " + c.owner.String() + ", neither of a password nor of a keytab"}
	}
	req := messages.ASReq{KDCReqFields: messages.KDCReqFields{PVNO: pvno, MsgType: msgtype.KRB_AS_REQ}}
	req.ReqBody = kdcOptions(flags.Forwardable, flags.Renewable, flags.RenewableOK)
	req.ReqBody.CName, req.ReqBody.Realm, req.ReqBody.SName = c.owner.PrincipalName, realm, krbtgt(realm)
	req.ReqBody.Till, req.ReqBody.RTime, req.ReqBody.EType = forever, forever, etypes
	var key *types.EncryptionKey
	for range 2 { // without and with a proof
		var err error
		if req.ReqBody.Nonce, err = nonce(); err != nil {
			return nil, fmt.Errorf("krb5: no randomness: %w", err)
		}
		request, err := req.Marshal()
		if err != nil {
			return nil, fmt.Errorf("krb5: AS-REQ: %w", err)
		}
		answer, refusal, err := c.ask(ctx, realm, request, tagASRep)
		switch {
		case err != nil:
			return nil, err
		case refusal == nil:
			return c.signedIn(answer, &req, key)
		case refusal.ErrorCode != errorcode.KDC_ERR_PREAUTH_REQUIRED || key != nil:
			return nil, explain(refusal, "the KDC of "+realm, "krbtgt/"+realm, c.owner.String(), c.now())
		}
		var hints types.PADataSequence
		if !whole(refusal.EData, cbasn1.SEQUENCE) || hints.Unmarshal(refusal.EData) != nil {
			return nil, &Error{Code: InvalidToken, Detail: "the KDC of " + realm + " says nothing of how to pre-authenticate"}
		}
		if key, err = c.longTermKey(hints, 0); err != nil {
			return nil, err
		}
		if req.PAData, err = c.timestamp(*key); err != nil {
			return nil, fmt.Errorf("krb5: pre-authentication: %w", err)
		}
	}
	return nil, &Error{Code: LogonDenied, Detail: "the KDC of " + realm + " asks for more than a password"}
}

// timestamp is the encrypted time that proves the key. See [RFC4120] 5.2.7.2.
func (c *Client) timestamp(key types.EncryptionKey) (types.PADataSequence, error) {
	now := c.now().UTC()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addTime(b, 0, now)
		addInt(b, 1, int64(now.Nanosecond()/1000))
	})
	plain, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sealed, err := encrypt(key, plain, usagePATimestamp)
	if err != nil {
		return nil, err
	}
	value, err := sealed.Marshal()
	return types.PADataSequence{{PADataType: patype.PA_ENC_TIMESTAMP, PADataValue: value}}, err
}

// longTermKey is the key of the account: of the keytab, or of the password with the salt that the KDC names. want is the encryption
// type, 0 for the first that the KDC offers and we permit. See [RFC4120] 5.2.7.5.
func (c *Client) longTermKey(hints []types.PAData, want int32) (*types.EncryptionKey, error) {
	type hint struct {
		etype  int32
		salt   string
		params []byte
	}
	var offered []hint
	for _, pa := range hints[:min(len(hints), maxAuthDataInto)] {
		if pa.PADataType != patype.PA_ETYPE_INFO2 || !whole(pa.PADataValue, cbasn1.SEQUENCE) {
			continue
		}
		info, err := pa.GetETypeInfo2()
		if err != nil {
			continue
		}
		for _, i := range info {
			offered = append(offered, hint{i.EType, i.Salt, i.S2KParams})
		}
	}
	if want != 0 && !slices.ContainsFunc(offered, func(h hint) bool { return h.etype == want }) {
		offered = append(offered, hint{etype: want})
	}
	cred, keytab := c.secrets()
	for _, h := range offered {
		if want != 0 && h.etype != want || !slices.Contains(c.etypes(), h.etype) {
			continue
		}
		if keytab != nil {
			if key, ok := keytab.find(c.owner, h.etype); ok {
				return &key, nil
			}
			continue
		}
		if h.etype == etypeID.RC4_HMAC {
			// The NT hash; gokrb5 makes another one of characters beyond ASCII.
			value := cred.NTHash
			if len(value) == 0 {
				hash := ntlm.NTHash(cred.Password)
				value = hash[:]
			}
			return &types.EncryptionKey{KeyType: h.etype, KeyValue: value}, nil
		}
		et, err := crypto.GetEtype(h.etype)
		if err != nil || cred.Password == "" {
			continue
		}
		if h.salt == "" {
			h.salt = c.owner.GetSalt(c.owner.realm)
		}
		params := et.GetDefaultStringToKeyParams()
		if len(h.params) == 4 {
			if n := binary.BigEndian.Uint32(h.params); n == 0 || n > maxIterations {
				return nil, &Error{Code: InvalidToken, Detail: fmt.Sprintf("the KDC of %s asks for %d iterations of the password's hash", c.owner.realm, n)}
			}
			params = hex.EncodeToString(h.params)
		}
		value, err := et.StringToKey(cred.Password, h.salt, params)
		if err != nil {
			return nil, fmt.Errorf("krb5: key of the password: %w", err)
		}
		return &types.EncryptionKey{KeyType: h.etype, KeyValue: value}, nil
	}
	return nil, &Error{Code: EtypeNotSupported, Detail: "the KDC of " + c.owner.realm + " and we have no encryption type in common for " + c.owner.String()}
}

// signedIn reads an AS-REP. key is the one that proved us, nil if no proof was asked for.
func (c *Client) signedIn(answer []byte, req *messages.ASReq, key *types.EncryptionKey) (*credential, error) {
	var rep messages.ASRep
	if rep.Unmarshal(answer) != nil {
		return nil, &Error{Code: InvalidToken, Detail: "the answer of the KDC of " + c.owner.realm + " is malformed"}
	}
	if key == nil || key.KeyType != rep.EncPart.EType {
		var err error
		if key, err = c.longTermKey(rep.PAData, rep.EncPart.EType); err != nil {
			return nil, err
		}
	}
	plain, err := decrypt(*key, rep.EncPart, usageASRep)
	if err != nil {
		return nil, &Error{Code: LogonDenied, Detail: "the password or key of " + c.owner.String() + " does not open the answer of its KDC", Err: auth.ErrLogonFailure}
	}
	t, err := c.granted(&rep.KDCRepFields, plain, req.ReqBody)
	if err != nil {
		return nil, err
	}
	// Nothing protects the request: who changes it and has the key of a service of the realm would have the key of our ticket, too, and
	// be the KDC from here on. See [RFC4120] 3.1.5.
	if want := krbtgt(c.owner.realm); !sameName(t.server.PrincipalName, want) || !strings.EqualFold(t.server.realm, c.owner.realm) {
		return nil, &Error{Code: InvalidToken, Detail: "the KDC of " + c.owner.realm + " was asked for a ticket-granting ticket and gives one for " + printable(t.server.String())}
	}
	return t, nil
}

// granted checks the inner part of a KDC's answer and makes a credential of it. See [RFC4120] 3.1.5 and 3.3.4.
func (c *Client) granted(rep *messages.KDCRepFields, plain []byte, body messages.KDCReqBody) (*credential, error) {
	var part messages.EncKDCRepPart
	bad := func(why string) (*credential, error) {
		return nil, &Error{Code: InvalidToken, Detail: "the answer of the KDC of " + body.Realm + " " + why}
	}
	if part.Unmarshal(plain) != nil || len(part.SName.NameString) == 0 || len(rep.Ticket.SName.NameString) == 0 {
		return bad("is malformed")
	}
	if part.Nonce != body.Nonce {
		return bad("answers another request")
	}
	if err := checkKey(part.Key, c.opts.AllowRC4); err != nil {
		return bad("has a session key that cannot be used: " + err.Error())
	}
	ticket, err := rep.Ticket.Marshal()
	if err != nil {
		return bad("is malformed")
	}
	t := &credential{
		client: c.owner, server: principal{part.SName, part.SRealm}, key: part.Key, ticket: ticket,
		auth: part.AuthTime, start: part.StartTime, end: part.EndTime, renewUntil: part.RenewTill,
	}
	for i := range 32 {
		if part.Flags.At(i) != 0 {
			t.flags |= 1 << (31 - i)
		}
	}
	if t.start.IsZero() {
		t.start = t.auth
	}
	if skew := t.start.Sub(c.now()); skew > maxSkew || t.end.Before(c.now()) {
		skew = skew.Round(time.Second)
		return nil, &Error{Code: TimeSkew, Skew: skew, Detail: "the clock of the KDC of " + body.Realm + " " + skewText(skew) + "; at most five minutes are permitted"}
	}
	return t, nil
}

// grant makes one exchange with the ticket-granting service of the realm that tgt is for. See [RFC4120] 3.3.
func (c *Client) grant(ctx context.Context, tgt *credential, name types.PrincipalName, spn string, options ...int) (*credential, error) {
	realm := tgt.server.NameString[len(tgt.server.NameString)-1]
	var req messages.TGSReq
	req.PVNO, req.MsgType = pvno, msgtype.KRB_TGS_REQ
	req.ReqBody = kdcOptions(options...)
	req.ReqBody.Realm, req.ReqBody.SName, req.ReqBody.Till, req.ReqBody.EType = realm, name, forever, c.etypes()
	var err error
	if req.ReqBody.Nonce, err = nonce(); err != nil {
		return nil, fmt.Errorf("krb5: no randomness: %w", err)
	}
	if req.PAData, err = c.tgsProof(tgt, &req.ReqBody); err != nil {
		return nil, fmt.Errorf("krb5: TGS-REQ: %w", err)
	}
	request, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("krb5: TGS-REQ: %w", err)
	}
	answer, refusal, err := c.ask(ctx, realm, request, tagTGSRep)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, explain(refusal, "the KDC of "+realm, spn, c.owner.String(), c.now())
	}
	var rep messages.TGSRep
	if rep.Unmarshal(answer) != nil {
		return nil, &Error{Code: InvalidToken, Detail: "the answer of the KDC of " + realm + " is malformed"}
	}
	plain, err := decrypt(tgt.key, rep.EncPart, usageTGSRep)
	if err != nil {
		return nil, &Error{Code: InvalidToken, Detail: "the answer of the KDC of " + realm + " is not for us", Err: err}
	}
	return c.granted(&rep.KDCRepFields, plain, req.ReqBody)
}

// tgsProof is the AP-REQ inside a TGS-REQ.
func (c *Client) tgsProof(tgt *credential, body *messages.KDCReqBody) (types.PADataSequence, error) {
	b, err := body.Marshal()
	if err != nil {
		return nil, err
	}
	et, err := crypto.GetEtype(tgt.key.KeyType)
	if err != nil {
		return nil, err
	}
	sum, err := et.GetChecksumHash(tgt.key.KeyValue, b, usageTGSReqChecksum)
	if err != nil {
		return nil, err
	}
	now := c.now().UTC()
	proof := types.Authenticator{
		AVNO: pvno, CRealm: c.owner.realm, CName: c.owner.PrincipalName, CTime: now.Truncate(time.Second), Cusec: now.Nanosecond() / 1000,
		Cksum: types.Checksum{CksumType: et.GetHashID(), Checksum: sum},
	}
	plain, err := proof.Marshal()
	if err != nil {
		return nil, err
	}
	req := messages.APReq{PVNO: pvno, MsgType: msgAPReq, APOptions: types.NewKrbFlags()}
	if req.Ticket, err = tgt.decoded(); err != nil {
		return nil, err
	}
	if req.EncryptedAuthenticator, err = encrypt(tgt.key, plain, usageTGSReqAuth); err != nil {
		return nil, err
	}
	value, err := req.Marshal()
	return types.PADataSequence{{PADataType: patype.PA_TGS_REQ, PADataValue: value}}, err
}

// follow asks our KDC for a service's ticket and goes where it refers us. A realm that configuration names is asked for by name when
// our own KDC does not know the service. See [RFC6806] 8.
func (c *Client) follow(ctx context.Context, tgt *credential, name types.PrincipalName, realm, spn string) (*credential, error) {
	options := []int{flags.Canonicalize}
	if hasFlag(tgt.flags, flags.Forwardable) { // else a domain refuses: the account may be sensitive
		options = append(options, flags.Forwardable)
	}
	foreign := realm != "" && realm != c.owner.realm
	seen := map[string]bool{c.owner.realm: true}
	for range maxReferrals {
		t, err := c.grant(ctx, tgt, name, spn, options...)
		var e *Error
		if foreign && errors.As(err, &e) && e.Code == TargetUnknown {
			foreign = false
			t, err = c.grant(ctx, tgt, krbtgt(realm), "krbtgt/"+realm, options...)
		}
		if err != nil {
			return nil, err
		}
		next := t.server.NameString
		if len(next) != 2 || !strings.EqualFold(next[0], "krbtgt") || sameName(t.server.PrincipalName, name) {
			return t, nil
		}
		if seen[next[1]] {
			break
		}
		seen[next[1]], tgt = true, t
	}
	return nil, &Error{Code: TargetUnknown, SPN: spn, Detail: "the KDCs refer to each other for " + spn}
}
