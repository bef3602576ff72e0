package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/iremunknown2/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/oaut"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemcallresult/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemrefreshingservices/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemremoterefresher/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmi/iwbemservices/v0"
	"github.com/oiweiwei/go-msrpc/msrpc/dcom/wmio"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/oiweiwei/go-msrpc/ndr"
)

const returnImmediately = 0x10

// callResult reads an instance semisynchronously: the service answers with an IWbemCallResult that waits for it.
func callResult() (string, error) {
	l, err := connect("//./root/cimv2", dcerpc.WithSeal(), dcerpc.WithNDR20())
	if err != nil {
		return "", err
	}
	defer l.close()
	asked, err := l.services.GetObject(l.ctx, &iwbemservices.GetObjectRequest{
		This: l.this(), ObjectPath: &oaut.String{Data: fmt.Sprintf(`Win32_Process.Handle="%d"`, os.Getpid())}, Flags: returnImmediately,
		Object: &wmi.ClassObject{}, CallResult: &wmi.CallResult{},
	})
	if err != nil {
		return "", fmt.Errorf("GetObject: %w", err)
	}
	if asked.CallResult == nil {
		return "", errors.New("no IWbemCallResult")
	}
	result, err := iwbemcallresult.NewCallResultClient(l.ctx, l.wmi, dcom.WithIPID(asked.CallResult.InterfacePointer().IPID()), l.syntax)
	if err != nil {
		return "", err
	}
	got, err := result.GetResultObject(l.ctx, &iwbemcallresult.GetResultObjectRequest{This: l.this(), Timeout: -1})
	if err != nil {
		return "", fmt.Errorf("GetResultObject: %w", err)
	}
	object, err := byValue(got.ResultObject)
	if err != nil {
		return "", err
	}
	if is := number(object.Values()["ParentProcessId"]); is != fmt.Sprint(os.Getppid()) {
		return "", fmt.Errorf("the parent is %s, not %d", is, os.Getppid())
	}
	status, err := result.GetCallStatus(l.ctx, &iwbemcallresult.GetCallStatusRequest{This: l.this(), Timeout: -1})
	if err != nil || status.Status != 0 {
		return "", fmt.Errorf("GetCallStatus: %+v, %w", status, err)
	}
	if _, err = result.GetResultString(l.ctx, &iwbemcallresult.GetResultStringRequest{This: l.this()}); err == nil {
		return "", errors.New("GetResultString succeeds for an instance that was read")
	}
	return err.Error(), nil
}

// refresher adds an object to a refresher of the service and refreshes it.
func refresher() (string, error) {
	l, err := connect("//./root/cimv2", dcerpc.WithSeal(), dcerpc.WithNDR20())
	if err != nil {
		return "", err
	}
	defer l.close()
	unknown, err := iremunknown2.NewRemoteUnknown2Client(l.ctx, l.wmi, dcom.WithIPID(l.remUnknown), l.syntax)
	if err != nil {
		return "", err
	}
	asked, err := unknown.RemoteQueryInterface2(l.ctx, &iremunknown2.RemoteQueryInterface2Request{
		This: l.this(), IPID: l.ipid.GUID(), IIDs: []*dcom.IID{iwbemrefreshingservices.RefreshingServicesIID},
	})
	if err != nil {
		return "", fmt.Errorf("RemQueryInterface2: %w", err)
	}
	services, err := iwbemrefreshingservices.NewRefreshingServicesClient(l.ctx, l.wmi, dcom.WithIPID(asked.Interface[0].IPID()), l.syntax)
	if err != nil {
		return "", err
	}
	id := &wmi.RefresherID{MachineName: "PEER", ProcessID: uint32(os.Getpid()), RefresherID: &dtyp.GUID{Data1: 1, Data4: make([]byte, 8)}}
	got, err := services.GetRemoteRefresher(l.ctx, &iwbemrefreshingservices.GetRemoteRefresherRequest{This: l.this(), RefresherID: id, ClientRefresherVersion: 2})
	if err != nil {
		return "", fmt.Errorf("GetRemoteRefresher: %w", err)
	}
	remote, err := iwbemremoterefresher.NewRemoteRefresherClient(l.ctx, l.wmi, dcom.WithIPID(got.RemoteRefresher.InterfacePointer().IPID()), l.syntax)
	if err != nil {
		return "", err
	}
	refreshed, err := remote.RemoteRefresh(l.ctx, &iwbemremoterefresher.RemoteRefreshRequest{This: l.this()})
	if err != nil {
		return "", fmt.Errorf("RemoteRefresh: %w", err)
	}
	return fmt.Sprintf("version %d, %d objects", got.ServerRefresherVersion, len(refreshed.Objects)), nil
}

// byValue reads an object that travels by value.
func byValue(o *wmi.ClassObject) (*wmio.Object, error) {
	reference := &dcom.ObjectReference{}
	if err := ndr.Unmarshal(o.Data, reference, ndr.Opaque); err != nil {
		return nil, err
	}
	custom, ok := reference.ObjectReference.GetValue().(*dcom.ObjectReferenceCustom)
	if !ok {
		return nil, errors.New("the object is not by value")
	}
	return wmio.Unmarshal(custom.ObjectData)
}
