package wsman_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman"
)

// envelope wraps a fault as a service sends it.
func faultEnvelope(body string) []byte {
	return []byte(`<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>http://schemas.dmtf.org/wbem/wsman/1/wsman/fault</a:Action><a:MessageID>uuid:1</a:MessageID><a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To><a:RelatesTo>uuid:2</a:RelatesTo></s:Header><s:Body>` + body + `</s:Body></s:Envelope>`)
}

// The faults of real services: recorded, and as other clients' tests have
// them.
func TestFaultOfAService(t *testing.T) {
	_, err := wsman.DecodeResponse(faultEnvelope(`<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:InvalidSelectors</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">The WS-Management service cannot process the request because the request contained invalid selectors for the resource. </s:Text></s:Reason><s:Detail><w:FaultDetail>http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors</w:FaultDetail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858843" Machine="127.0.0.1"><f:Message><f:ProviderFault provider="Shell provider" path="%systemroot%\system32\WsmSvc.dll"><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858843" Machine="127.0.0.1"><f:Message>inner text</f:Message></f:WSManFault></f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>`), "")
	f, ok := err.(*wsman.Fault)
	if !ok {
		t.Fatal(err)
	}
	if !f.Remote || f.SOAPCode != wsman.Sender || f.Subcode != "w:InvalidSelectors" || f.Machine != "127.0.0.1" ||
		f.Detail != "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors" ||
		f.Provider == nil || f.Provider.Provider != "Shell provider" || f.Provider.Path != `%systemroot%\system32\WsmSvc.dll` ||
		f.Provider.Fault.Code != 2150858843 || f.Text() != "inner text" || f.Message != "" {
		t.Errorf("%+v", f)
	}
	if !errors.Is(err, wsman.CodeUnexpectedSelectors) || errors.Is(err, wsman.CodeAccessDenied) || errors.Is(err, io.EOF) {
		t.Error("errors.Is does not compare codes")
	}
	for _, part := range []string{"inner text", "2150858843", "0x8033805B", "ERROR_WSMAN_UNEXPECTED_SELECTORS", "w:InvalidSelectors", "UnexpectedSelectors"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err.Error(), part)
		}
	}
}

func TestFaultWithWMIError(t *testing.T) {
	_, err := wsman.DecodeResponse(faultEnvelope(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US"/></s:Reason><s:Detail><p:MSFT_WmiError b:IsCIM_Error="true" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/standardcimv2/MSFT_WmiError" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"><p:CIMStatusCode>27</p:CIMStatusCode><p:Message>The maximum number of concurrent operations for this user has been exceeded.</p:Message><p:error_Category>16</p:error_Category><p:error_Code>2150859174</p:error_Code><p:error_Type>MI</p:error_Type></p:MSFT_WmiError></s:Detail></s:Fault>`), "")
	var f *wsman.Fault
	if !errors.As(err, &f) || f.WMI == nil || f.WMI.Code != 2150859174 || f.WMI.CIMStatus != 27 || f.WMI.Type != "MI" ||
		!errors.Is(err, wsman.CodeQuotaMaxOperations) || !strings.HasPrefix(f.Text(), "The maximum number") {
		t.Errorf("%+v", f)
	}
}

// What NewFault writes is read back the same, for each of the 512 codes.
func TestEveryCodeAsAFault(t *testing.T) {
	for c := wsman.Code(0x80338000); c <= 0x803381FF; c++ {
		if c.Name() == "" || !c.Known() || len(c.Text()) < 10 || !strings.HasSuffix(c.Text(), ".") && !strings.Contains(c.Text(), "=") && !strings.HasSuffix(c.Text(), "@{}") {
			t.Errorf("%08X: name %q, text %q", uint32(c), c.Name(), c.Text())
		}
		want := wsman.NewFault(c, "more").WithProvider("plugin", `C:\x.dll`)
		req := wsman.Header{MessageID: "uuid:A"}
		h := req.FaultHeader(want)
		doc, err := wsman.AppendMessage(nil, &h, want)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wsman.DecodeResponse(doc, "")
		got, ok := err.(*wsman.Fault)
		if !ok || !got.Remote || m.RelatesTo != "uuid:A" || m.Action != want.Action() {
			t.Fatalf("%08X: %v %+v", uint32(c), err, m.Header)
		}
		got.Remote, got.Lang = false, ""
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%08X:\n got %+v\nwant %+v", uint32(c), got, want)
		}
	}
}

// Codes of the specification with their subcodes; the numbers are those of
// wsmerror.h.
func TestCodes(t *testing.T) {
	for _, tt := range []struct {
		code    wsman.Code
		dec     uint32
		name    string
		subcode wsman.Subcode
		detail  string
		soap    wsman.SOAPCode
		action  string
	}{
		{wsman.CodeOperationTimedOut, 2150858793, "ERROR_WSMAN_OPERATION_TIMEDOUT", "w:TimedOut", "", wsman.Receiver, wsman.ActionFaultWSMan},
		{wsman.CodeResourceNotFound, 2150858752, "ERROR_WSMAN_RESOURCE_NOT_FOUND", "a:DestinationUnreachable", "ResourceNotFound", wsman.Sender, wsman.ActionFaultAddressing},
		{wsman.CodeInvalidEnumerationContext, 2150858779, "ERROR_WSMAN_ENUMERATE_INVALID_ENUMERATION_CONTEXT", "n:InvalidEnumerationContext", "", wsman.Receiver, wsman.ActionFaultEnumeration},
		{wsman.CodeUnexpectedSelectors, 2150858843, "ERROR_WSMAN_UNEXPECTED_SELECTORS", "w:InvalidSelectors", "UnexpectedSelectors", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodeQuotaMaxShells, 2150859173, "ERROR_WSMAN_QUOTA_MAX_SHELLS", "w:QuotaLimit", "", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodeQuotaMaxOperations, 2150859174, "ERROR_WSMAN_QUOTA_MAX_OPERATIONS", "w:QuotaLimit", "", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodeWMISingleton, 2150859002, "ERROR_WSMAN_INVALID_URI_WMI_SINGLETON", "w:InvalidSelectors", "InsufficientSelectors", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodeMinEnvelopeSize, 2150858878, "ERROR_WSMAN_MIN_ENVELOPE_SIZE", "w:EncodingLimit", "MinimumEnvelopeLimit", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodePolymorphismModeUnsupported, 2150859063, "ERROR_WSMAN_POLYMORPHISM_MODE_UNSUPPORTED", "b:PolymorphismModeNotSupported", "", wsman.Sender, wsman.ActionFaultWSMan},
		{wsman.CodeDeprecatedSetting, 2150859182, "ERROR_WSMAN_DEPRECATED_CONFIG_SETTING", "w:InternalError", "", wsman.Receiver, wsman.ActionFaultWSMan},
		{wsman.CodeMustUnderstand, 2150858768, "ERROR_WSMAN_SOAP_FAULT_MUST_UNDERSTAND", "s:MustUnderstand", "", wsman.MustUnderstand, wsman.ActionFaultAddressing},
		{wsman.CodeAccessDenied, 5, "ERROR_ACCESS_DENIED", "w:AccessDenied", "", wsman.Sender, wsman.ActionFaultWSMan},
		{0x80070005, 2147942405, "ERROR_ACCESS_DENIED", "w:AccessDenied", "", wsman.Sender, wsman.ActionFaultWSMan},
		{0x80338200, 2150859264, "", "w:InternalError", "", wsman.Receiver, wsman.ActionFaultWSMan},
	} {
		f := wsman.NewFault(tt.code, "")
		detail := tt.detail
		if detail != "" {
			detail = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/" + detail
		}
		if uint32(tt.code) != tt.dec || tt.code.Name() != tt.name || tt.code.Subcode() != tt.subcode || f.Detail != detail ||
			f.SOAPCode != tt.soap || f.Action() != tt.action {
			t.Errorf("%d: %q %q %+v %s", uint32(tt.code), tt.code.Name(), tt.code.Subcode(), f, f.Action())
		}
	}
}
