package casement_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/casementtest"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// T-107: __RequiredArchitecture for a width that the provider does not have is
// 0x80041013, over every path; without it, the width is a wish. Values that
// mean nothing are refused, and what no provider serves has no width.
func TestArchitecture(t *testing.T) {
	m := manager(t)
	server := casementtest.New(t, casementtest.Options{Opener: m, Settings: map[string]string{"Service/Auth/Basic": "true"}})
	own, other := strconv.IntSize, 96-strconv.IntSize
	integer := func(n int) cim.Value { return cim.S32(int32(n)) } // #nosec G115 -- 32 or 64
	for name, c := range map[string]*casement.Connection{
		"direct": dial(t, ".", casement.Options{Opener: system{m}}),
		"https":  dial(t, server.HTTPS, casement.Options{User: server.User, Password: server.Password, TLS: wsmanclient.TLSOptions{SHA256: server.Thumbprint}}),
		"local":  dial(t, ".", casement.Options{StateDir: server.Service.State.Dir}),
	} {
		s := session(t, c)
		for _, tt := range []struct {
			width, required cim.Value
			want            cim.Status
		}{
			{integer(own), cim.Bool(true), 0},
			{integer(other), cim.Bool(true), cim.ErrProviderLoadFailure},
			{integer(other), cim.Bool(false), 0},
			{integer(other), cim.Value{}, 0},
			{cim.Value{}, cim.Bool(true), 0},
			{integer(16), cim.Value{}, cim.ErrInvalidParameter},
			{integer(own), cim.Str("perhaps"), cim.ErrInvalidParameter},
		} {
			var o cim.OperationOptions
			if !tt.width.IsNull() {
				o.Context = append(o.Context, cim.NamedValue{Name: "__ProviderArchitecture", Value: tt.width})
			}
			if !tt.required.IsNull() {
				o.Context = append(o.Context, cim.NamedValue{Name: "__REQUIREDARCHITECTURE", Value: tt.required})
			}
			check := func(operation string, err error) {
				t.Helper()
				if tt.want == 0 && err != nil || tt.want != 0 && !errors.Is(err, tt.want) {
					t.Errorf("%s: %s for %s bits, required %s: %v, want %v", name, operation, tt.width, tt.required, err, tt.want)
				}
			}
			_, err := s.Get(t.Context(), cim.ObjectPath{Class: "CT_Number", Keys: []cim.Key{{Name: "N", Value: cim.U32(7)}}}, cim.GetOptions{OperationOptions: o})
			check("Get", err)
			e, err := s.Enumerate(t.Context(), "CT_Number", cim.EnumerateOptions{OperationOptions: o})
			if err == nil {
				_, err = cim.Collect(t.Context(), e)
			}
			check("Enumerate", err)
		}
	}
	root, err := dial(t, ".", casement.Options{Opener: system{m}}).Session(t.Context(), `root`)
	if err != nil {
		t.Fatal(err)
	}
	o := cim.OperationOptions{Context: cim.NamedArray{{Name: "__ProviderArchitecture", Value: integer(other)}, {Name: "__RequiredArchitecture", Value: cim.Bool(true)}}}
	e, err := root.Enumerate(t.Context(), "__NAMESPACE", cim.EnumerateOptions{OperationOptions: o})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := cim.Collect(t.Context(), e); err != nil || len(list) == 0 {
		t.Errorf("what the manager itself serves: %d, %v", len(list), err)
	}
}
