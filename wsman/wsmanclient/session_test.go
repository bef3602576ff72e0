package wsmanclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

func raw(s string) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error { w.Raw([]byte(s)); return nil })
}

const service = `<p:Win32_Service xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service"` +
	` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:Win32_Service_Type">` +
	`<p:Name>%s</p:Name><p:ProcessId>42</p:ProcessId><p:Started>true</p:Started><p:DesktopInteract xsi:nil="true"/>` +
	`<p:InstallDate><cim:Datetime>2024-01-02T03:04:05Z</cim:Datetime></p:InstallDate></p:Win32_Service>`

// TestWithoutMetadata: from a host that gives no classes values come as text,
// and the host is asked for classes once.
func TestWithoutMetadata(t *testing.T) {
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch {
		case strings.Contains(m.ResourceURI, "cim-xml"):
			return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
		case m.Action == wsman.ActionGet:
			if v, _ := m.Selectors.Get("Name"); v != "W32Time" {
				t.Errorf("selectors %v", m.Selectors)
			}
			return raw(fmt.Sprintf(service, "W32Time")), nil
		case m.Action == wsman.ActionEnumerate:
			return wsman.Items{HasItems: true, XML: fmt.Appendf(nil, service+service, "a", "b"), EndOfSequence: true}.EnumerateResponse(), nil
		case strings.HasSuffix(m.Action, "/StopService"):
			return raw(`<p:StopService_OUTPUT xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Service"><p:ReturnValue>5</p:ReturnValue></p:StopService_OUTPUT>`), nil
		}
		return nil, nil
	}
	s := client(t, "http://h", serve(t, f)).Session("root/cimv2")
	path, err := cim.ParsePath(`Win32_Service.Name="W32Time"`)
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Get(t.Context(), path, cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if v := i.Get("ProcessId"); v.Type() != cim.Untyped || v.String() != "42" {
		t.Errorf("ProcessId is %s %s", v.Type(), v)
	}
	if n, err := i.Get("ProcessId").As(cim.Uint32); err != nil || !n.Equal(cim.U32(42)) {
		t.Errorf("%v, %v", n, err)
	}
	if d, ok := i.Get("InstallDate").DateTime(); !ok || d != "20240102030405.000000+000" {
		t.Errorf("InstallDate is %q", d)
	}
	if p, whole := i.Path(); !whole || p.Relative() != `Win32_Service.Name="W32Time"` || !i.Get("DesktopInteract").IsNull() {
		t.Errorf("path %s", p)
	}
	e, err := s.Enumerate(t.Context(), "Win32_Service", cim.EnumerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := cim.Collect(t.Context(), e); err != nil || len(list) != 2 || list[1].Get("Name").String() != "b" {
		t.Errorf("%v, %v", list, err)
	}
	res, err := s.Invoke(t.Context(), path, "StopService", nil, cim.OperationOptions{})
	if err != nil || res.ReturnValue.String() != "5" {
		t.Errorf("%v, %v", res, err)
	}
	if _, err := s.GetClass(t.Context(), "Win32_Service", cim.GetOptions{}); !errors.Is(err, cim.ErrNotSupported) {
		t.Errorf("GetClass: %v", err)
	}
	if _, err := s.EnumerateClasses(t.Context(), "", false); !errors.Is(err, cim.ErrNotSupported) {
		t.Errorf("EnumerateClasses: %v", err)
	}
	if n := f.count("Get"); n != 2 {
		t.Errorf("%d Gets, want one of the instance and one of the class", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), path, cim.GetOptions{}); !errors.Is(err, cim.ErrShuttingDown) {
		t.Errorf("after Close: %v", err)
	}
}

// TestStatuses: the fault of a host becomes the status that it stands for. The
// status of a WMI error object goes before the codes. See spec section 4.4.
func TestStatuses(t *testing.T) {
	inner := func(code wsman.Code) *wsman.Fault {
		return wsman.NewFault(code, "").WithProvider("WMI Provider", "wmi.dll")
	}
	object := wsman.NewFault(wsman.CodeResourceNotFound, "").WithProvider("WMI Provider", "wmi.dll")
	object.Provider.WMI = &wsman.WMIError{Code: 0x80041010, Message: "Invalid class"}
	cimStatus := wsman.NewFault(wsman.CodeProviderFailure, "").WithProvider("WMI Provider", "wmi.dll")
	cimStatus.Provider.WMI = &wsman.WMIError{CIMStatus: 11}
	for _, test := range []struct {
		fault *wsman.Fault
		want  cim.Status
	}{
		{object, cim.ErrInvalidClass},
		{cimStatus, cim.ErrAlreadyExists},
		{inner(0x80041017), cim.ErrInvalidQuery},
		{inner(wsman.CodeAccessDenied), cim.ErrAccessDenied},
		{wsman.NewFault(0x8004106C, ""), cim.ErrQuotaViolation},
		{wsman.NewFault(wsman.CodeCannotProcessFilter, ""), cim.ErrInvalidQuery},
		{wsman.NewFault(wsman.CodeFilterDialectUnavailable, ""), cim.ErrInvalidQueryType},
		{wsman.NewFault(wsman.CodeOperationTimedOut, ""), cim.ErrTimedOut},
		{wsman.NewFault(wsman.CodeWMISingleton, ""), cim.ErrInvalidObjectPath},
		{wsman.NewFault(wsman.CodeInvalidXMLValues, ""), cim.ErrTypeMismatch},
		{wsman.NewFault(wsman.CodeProviderFailure, ""), cim.ErrFailed},
		{wsman.NewFault(wsman.CodeResourceNotFound, ""), cim.ErrInvalidClass}, // of a class that is enumerated
	} {
		f := &fake{t: t, answer: func(*wsman.Message) (wsman.Body, error) { return nil, test.fault }}
		s := client(t, "http://h", serve(t, f)).Session("")
		_, err := s.Enumerate(t.Context(), "C", cim.EnumerateOptions{})
		var e *cim.Error
		if !errors.As(err, &e) || e.Status != test.want || !e.Remote || e.Namespace != `root\cimv2` {
			t.Errorf("%v: %v, want %v", test.fault, err, test.want)
		}
		if !errors.Is(err, test.fault.Code) {
			t.Errorf("%v hides the code %v", err, test.fault.Code)
		}
	}
	s := client(t, "http://h", "127.0.0.1:1").Session("")
	if _, err := s.Enumerate(t.Context(), "C", cim.EnumerateOptions{}); !errors.Is(err, cim.ErrTransportFailure) {
		t.Errorf("no host: %v", err)
	}
}

// TestEnumerationIsReleased: one that is given up is released on the service,
// one that was read to its end is not. See [MS-WSMV] 3.1.4.10.
func TestEnumerationIsReleased(t *testing.T) {
	// A Pull that was given up may arrive when the next enumeration has begun: each has a context of its own.
	begun, pulls := 0, map[string]int{}
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		switch m.Action {
		case wsman.ActionEnumerate:
			e, err := m.ReadEnumerate()
			if err != nil || !e.Optimize || e.MaxElements != 20 {
				t.Errorf("%+v, %v", e, err)
			}
			begun++
			return wsman.Items{Context: fmt.Sprint("ctx-", begun), HasItems: true, XML: []byte("<a/><b/>")}.EnumerateResponse(), nil
		case wsman.ActionPull:
			p, err := m.ReadPull()
			if err != nil || !strings.HasPrefix(p.Context, "ctx-") || p.MaxElements != 20 {
				t.Errorf("%+v, %v", p, err)
			}
			if pulls[p.Context]++; pulls[p.Context] == 2 {
				return nil, wsman.NewFault(wsman.CodeOperationTimedOut, "") // nothing yet: asked again
			}
			return wsman.Items{Context: p.Context, HasItems: true, XML: []byte("<c/>"), EndOfSequence: pulls[p.Context] == 4}.PullResponse(), nil
		case wsman.ActionRelease:
			r, err := m.ReadRelease()
			if err != nil || !strings.HasPrefix(r.Context, "ctx-") {
				t.Errorf("%+v, %v", r, err)
			}
		}
		return nil, nil
	}
	c := client(t, "http://h", serve(t, f))
	for _, read := range []int{0, 1, 2, 3, 5} {
		e, err := c.Enumerate(t.Context(), config, wsmanclient.EnumerateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for range read {
			it, err := e.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.Write(it.XML[:2])
		}
		if want := "<a<b<c<c<c"[:2*read]; got.String() != want {
			t.Errorf("items %s, want %s", got.String(), want)
		}
		released := f.count("Release")
		if read == 5 {
			if _, err := e.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("after the last: %v", err)
			}
		}
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Error(err)
		}
		if n := f.count("Release") - released; (n == 1) != (read < 5) {
			t.Errorf("after %d items: released %d times", read, n)
		}
	}
}

// TestDeadlineLosesNothing: the answer to a Pull whose caller gave up is there
// for the next call.
func TestDeadlineLosesNothing(t *testing.T) {
	slow := make(chan struct{})
	f := &fake{t: t}
	f.answer = func(m *wsman.Message) (wsman.Body, error) {
		if m.Action == wsman.ActionEnumerate {
			return wsman.Items{Context: "x"}.EnumerateResponse(), nil
		}
		<-slow
		return wsman.Items{HasItems: true, XML: []byte("<late/>"), EndOfSequence: true}.PullResponse(), nil
	}
	c := client(t, "http://h", serve(t, f))
	e, err := c.Enumerate(t.Context(), config, wsmanclient.EnumerateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if _, err := e.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before the answer: %v", err)
		}
		cancel()
	}
	close(slow)
	if it, err := e.Next(t.Context()); err != nil || !strings.HasPrefix(string(it.XML), "<late ") {
		t.Errorf("%s, %v", it.XML, err)
	}
	if _, err := e.Next(t.Context()); !errors.Is(err, io.EOF) || f.count("Pull") != 1 {
		t.Errorf("%v after %d Pulls", err, f.count("Pull"))
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestWrongAnswer: an answer to another message is not taken.
func TestWrongAnswer(t *testing.T) {
	f := &fake{t: t, answer: func(m *wsman.Message) (wsman.Body, error) {
		m.MessageID = strings.ToLower(m.MessageID)
		return nil, nil
	}}
	err := client(t, "http://h", serve(t, f)).Delete(t.Context(), config, nil)
	wants(t, "RelatesTo in another case", err, wsman.CodeInvalidMessageInformationHeader, "belongs to another message")
}
