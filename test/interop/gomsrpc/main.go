// Command gomsrpc drives github.com/oiweiwei/go-msrpc, unpatched, against WMI over DCOM and prints one JSON line for each named check. It is a
// module of its own so that its needs stay out of the root module. The service is named by CASEMENT_DCOM (host:port), CASEMENT_USER and
// CASEMENT_PASSWORD. With the argument "bench" and a kind of work it times its own codec instead.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iactivation/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iobjectexporter/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremotescmactivator/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/oaut"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/ienumwbemclassobject/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemfetchsmartenum/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemlevel1login/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemservices/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemwcosmartenum/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmio"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmio/query"
	_ "github.com/oiweiwei/go-msrpc/msrpc/erref/win32"
	_ "github.com/oiweiwei/go-msrpc/msrpc/erref/wmi"
	"github.com/oiweiwei/go-msrpc/ssp"
	"github.com/oiweiwei/go-msrpc/ssp/credential"
	"github.com/oiweiwei/go-msrpc/ssp/gssapi"
	"github.com/rs/zerolog"
)

// check prints the outcome of one named check.
func check(name string, do func() (string, error)) {
	detail, err := do()
	if err != nil {
		detail = err.Error()
	}
	line, _ := json.Marshal(map[string]any{"name": name, "ok": err == nil, "detail": detail})
	fmt.Println(string(line))
}

var (
	address  = os.Getenv("CASEMENT_DCOM")
	hostname = func() string { h, _, _ := net.SplitHostPort(address); return h }()
	logger   = dcerpc.WithLogger(zerolog.New(io.Discard))
	timeout  = dcerpc.WithTimeout(30 * time.Second)
)

// A login is a connection up to IWbemServices.
type login struct {
	ctx           context.Context
	resolver, wmi dcerpc.Conn
	version       *dcom.COMVersion
	ipid          *dcom.IPID
	remUnknown    *dcom.IPID
	services      iwbemservices.ServicesClient
	level, syntax dcerpc.Option
}

func (l *login) close() {
	if l.wmi != nil {
		l.wmi.Close(l.ctx)
	}
	if l.resolver != nil {
		l.resolver.Close(l.ctx)
	}
}

func (l *login) this() *dcom.ORPCThis { return &dcom.ORPCThis{Version: l.version} }

func connect(namespace string, level, syntax dcerpc.Option) (_ *login, err error) {
	l := &login{ctx: gssapi.NewSecurityContext(context.Background()), level: level, syntax: syntax}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.resolver, err = dcerpc.Dial(l.ctx, address, logger, timeout); err != nil {
		return nil, fmt.Errorf("dial the resolver: %w", err)
	}
	exporter, err := iobjectexporter.NewObjectExporterClient(l.ctx, l.resolver, level, syntax, dcerpc.WithTargetName("RPCSS/"+hostname))
	if err != nil {
		return nil, fmt.Errorf("bind IObjectExporter: %w", err)
	}
	alive, err := exporter.ServerAlive2(l.ctx, &iobjectexporter.ServerAlive2Request{})
	if err != nil {
		return nil, fmt.Errorf("ServerAlive2: %w", err)
	}
	l.version = alive.COMVersion
	activator, err := iactivation.NewActivationClient(l.ctx, l.resolver, level, syntax, dcerpc.WithTargetName("RPCSS/"+hostname))
	if err != nil {
		return nil, fmt.Errorf("bind IActivation: %w", err)
	}
	made, err := activator.RemoteActivation(l.ctx, &iactivation.RemoteActivationRequest{
		ORPCThis: l.this(), ClassID: wmi.Level1LoginClassID.GUID(), IIDs: []*dcom.IID{iwbemlevel1login.Level1LoginIID},
		RequestedProtocolSequences: []uint16{7},
	})
	if err != nil {
		return nil, fmt.Errorf("RemoteActivation: %w", err)
	}
	if made.HResult != 0 {
		return nil, fmt.Errorf("RemoteActivation: 0x%08x", uint32(made.HResult))
	}
	l.remUnknown = made.RemoteUnknown
	options := append(made.OXIDBindings.EndpointsByProtocol("ncacn_ip_tcp"), logger, timeout)
	if l.wmi, err = dcerpc.Dial(l.ctx, hostname, options...); err != nil {
		return nil, fmt.Errorf("dial the exporter: %w", err)
	}
	l.ctx = gssapi.NewSecurityContext(l.ctx)
	first, err := iwbemlevel1login.NewLevel1LoginClient(l.ctx, l.wmi, dcom.WithIPID(made.InterfaceData[0].IPID()), level, syntax, dcerpc.WithTargetName("host/"+hostname))
	if err != nil {
		return nil, fmt.Errorf("bind IWbemLevel1Login: %w", err)
	}
	in, err := first.NTLMLogin(l.ctx, &iwbemlevel1login.NTLMLoginRequest{This: l.this(), NetworkResource: namespace})
	if err != nil {
		return nil, fmt.Errorf("NTLMLogin: %w", err)
	}
	l.ipid = in.Namespace.InterfacePointer().IPID()
	if l.services, err = iwbemservices.NewServicesClient(l.ctx, l.wmi, dcom.WithIPID(l.ipid), syntax); err != nil {
		return nil, fmt.Errorf("bind IWbemServices: %w", err)
	}
	return l, nil
}

// rows runs a query by smart enumeration.
func (l *login) rows(text string) ([]wmio.Values, error) {
	found, err := l.services.ExecQuery(l.ctx, &iwbemservices.ExecQueryRequest{
		This: l.this(), QueryLanguage: &oaut.String{Data: "WQL"}, Query: &oaut.String{Data: text}, Flags: 0x30,
	})
	if err != nil {
		return nil, fmt.Errorf("ExecQuery: %w", err)
	}
	unknown, err := iremunknown2.NewRemoteUnknown2Client(l.ctx, l.wmi, dcom.WithIPID(l.remUnknown), l.syntax)
	if err != nil {
		return nil, fmt.Errorf("bind IRemUnknown2: %w", err)
	}
	asked, err := unknown.RemoteQueryInterface2(l.ctx, &iremunknown2.RemoteQueryInterface2Request{
		This: l.this(), IPID: found.Enum.InterfacePointer().IPID().GUID(), IIDs: []*dcom.IID{iwbemfetchsmartenum.FetchSmartEnumIID},
	})
	if err != nil {
		return nil, fmt.Errorf("RemQueryInterface2: %w", err)
	}
	fetch, err := iwbemfetchsmartenum.NewFetchSmartEnumClient(l.ctx, l.wmi, dcom.WithIPID(asked.Interface[0].IPID()), l.syntax)
	if err != nil {
		return nil, err
	}
	smart, err := fetch.GetSmartEnum(l.ctx, &iwbemfetchsmartenum.GetSmartEnumRequest{This: l.this()})
	if err != nil {
		return nil, fmt.Errorf("GetSmartEnum: %w", err)
	}
	enumerator, err := iwbemwcosmartenum.NewWCOSmartEnumClient(l.ctx, l.wmi, dcom.WithIPID(smart.SmartEnum.InterfacePointer().IPID()), l.syntax)
	if err != nil {
		return nil, err
	}
	classes := map[string]*wmio.Class{}
	var rows []wmio.Values
	for {
		next, err := enumerator.Next(l.ctx, &iwbemwcosmartenum.NextRequest{This: l.this(), Timeout: -1, Count: 20})
		if err != nil && (next == nil || wmi.Status(next.Return) != wmi.StatusFalse) {
			return nil, fmt.Errorf("IWbemWCOSmartEnum::Next: %w", err)
		}
		if len(next.Buffer) == 0 {
			return rows, nil
		}
		objects, err := wmi.UnmarshalObjectArrayWithClasses(next.Buffer, classes)
		if err != nil {
			return nil, fmt.Errorf("the object array: %w", err)
		}
		for _, o := range objects.Objects {
			if o.Object.Class != nil {
				rows = append(rows, o.Object.Properties())
			} else {
				rows = append(rows, o.Object.Values())
			}
		}
	}
}

func number(v any) string { return fmt.Sprint(v) }

func main() {
	if len(os.Args) == 3 && os.Args[1] == "bench" {
		if err := bench(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	gssapi.AddCredential(credential.NewFromPassword(os.Getenv("CASEMENT_USER"), os.Getenv("CASEMENT_PASSWORD")))
	gssapi.AddMechanism(ssp.NTLM)
	gssapi.AddMechanism(ssp.SPNEGO)
	for _, c := range []struct {
		name          string
		level, syntax dcerpc.Option
	}{
		{"sign, NDR20", dcerpc.WithSign(), dcerpc.WithNDR20()},
		{"seal, NDR20", dcerpc.WithSeal(), dcerpc.WithNDR20()},
		{"seal, NDR64", dcerpc.WithSeal(), dcerpc.WithNDR64()},
	} {
		check("smart enumeration: "+c.name, func() (string, error) {
			l, err := connect("//./root/cimv2", c.level, c.syntax)
			if err != nil {
				return "", err
			}
			defer l.close()
			rows, err := l.rows("SELECT ProcessId, ParentProcessId, Name FROM Win32_Process")
			if err != nil {
				return "", err
			}
			for _, row := range rows {
				if number(row["ProcessId"]) == strconv.Itoa(os.Getpid()) {
					if number(row["ParentProcessId"]) != strconv.Itoa(os.Getppid()) {
						return "", fmt.Errorf("parent %v, not %d", row["ParentProcessId"], os.Getppid())
					}
					return strconv.Itoa(len(rows)) + " processes", nil
				}
			}
			return "", fmt.Errorf("this process is not among %d", len(rows))
		})
	}
	check("Next without smart enumeration", next)
	check("a method with arguments", method)
	check("RemoteCreateInstance", createInstance)
	check("IWbemCallResult", callResult)
	check("IWbemRefreshingServices and IWbemRemoteRefresher", refresher)
	check("finished", func() (string, error) { return "", nil })
}

func next() (string, error) {
	l, err := connect("//./root/cimv2", dcerpc.WithSeal(), dcerpc.WithNDR20())
	if err != nil {
		return "", err
	}
	defer l.close()
	found, err := l.services.ExecQuery(l.ctx, &iwbemservices.ExecQueryRequest{
		This: l.this(), QueryLanguage: &oaut.String{Data: "WQL"}, Query: &oaut.String{Data: "SELECT * FROM Win32_OperatingSystem"},
	})
	if err != nil {
		return "", fmt.Errorf("ExecQuery: %w", err)
	}
	enumerator, err := ienumwbemclassobject.NewEnumClassObjectClient(l.ctx, l.wmi, dcom.WithIPID(found.Enum.InterfacePointer().IPID()), l.syntax)
	if err != nil {
		return "", err
	}
	if _, err := enumerator.Reset(l.ctx, &ienumwbemclassobject.ResetRequest{This: l.this()}); err != nil {
		return "", fmt.Errorf("Reset: %w", err)
	}
	got, err := enumerator.Next(l.ctx, &ienumwbemclassobject.NextRequest{This: l.this(), Timeout: -1, Count: 1})
	if err != nil {
		return "", fmt.Errorf("Next: %w", err)
	}
	if got.Returned != 1 {
		return "", fmt.Errorf("%d objects", got.Returned)
	}
	return "", nil
}

func method() (string, error) {
	l, err := connect("//./root/default", dcerpc.WithSeal(), dcerpc.WithNDR20())
	if err != nil {
		return "", err
	}
	defer l.close()
	out, err := query.NewBuilder(l.ctx, l.services, l.version).Spawn("StdRegProv").Method("EnumKey").
		Values(wmio.Values{"hDefKey": uint32(0x80000002), "sSubKeyName": "SOFTWARE"}, wmio.JSONValueToType).Exec().Object()
	if err != nil {
		return "", err
	}
	values := out.Values()
	if number(values["ReturnValue"]) != "0" {
		return "", fmt.Errorf("ReturnValue %v", values["ReturnValue"])
	}
	return number(values["sNames"]), nil
}

// createInstance activates by IRemoteSCMActivator, as Windows clients do.
func createInstance() (string, error) {
	ctx := gssapi.NewSecurityContext(context.Background())
	conn, err := dcerpc.Dial(ctx, address, logger, timeout)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	activator, err := iremotescmactivator.NewRemoteSCMActivatorClient(ctx, conn, dcerpc.WithSign(), dcerpc.WithTargetName("RPCSS/"+hostname))
	if err != nil {
		return "", fmt.Errorf("bind IRemoteSCMActivator: %w", err)
	}
	version := &dcom.COMVersion{MajorVersion: 5, MinorVersion: 7}
	in := &dcom.ActivationProperties{DestinationContext: 2, Properties: []dcom.ActivationProperty{
		&dcom.InstantiationInfoData{ClassID: wmi.Level1LoginClassID, IID: []*dcom.IID{iwbemlevel1login.Level1LoginIID}, ClassContext: 0x14, ClientCOMVersion: version},
		&dcom.ActivationContextInfoData{},
		&dcom.SecurityInfoData{},
		&dcom.LocationInfoData{},
		&dcom.SCMRequestInfoData{RemoteRequest: &dcom.CustomRemoteRequestSCMInfo{RequestedProtocolSequences: []uint16{7}}},
	}}
	properties, err := in.ActivationPropertiesIn()
	if err != nil {
		return "", err
	}
	made, err := activator.RemoteCreateInstance(ctx, &iremotescmactivator.RemoteCreateInstanceRequest{ORPCThis: &dcom.ORPCThis{Version: version}, ActPropertiesIn: properties})
	if err != nil {
		return "", fmt.Errorf("RemoteCreateInstance: %w", err)
	}
	out := &dcom.ActivationProperties{}
	if err := out.Parse(made.ActPropertiesOut); err != nil {
		return "", err
	}
	reply, info := out.SCMReplyInfoData(), out.PropertiesOutInfo()
	if reply == nil || reply.RemoteReply == nil || info == nil || len(info.HResults) != 1 {
		return "", errors.New("the reply lacks ScmReplyInfo or PropsOut")
	}
	if info.HResults[0] != 0 {
		return "", fmt.Errorf("IWbemLevel1Login: 0x%08x", uint32(info.HResults[0]))
	}
	return fmt.Sprint(reply.RemoteReply.OXIDBindings.EndpointsByProtocol("ncacn_ip_tcp")), nil
}
