package wmiclient

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"sync"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
	"github.com/casementhq/casement/wmi/internal/wmio"
)

// Refresher reads objects and enumerations again and again: those of classes with the qualifier HiPerf by one call for all, which carries values
// alone, and the others one by one. Formatted counters need two refreshes before they mean something. It is safe for concurrent use; one refresh
// runs at a time. See [MS-WMI] 3.2.4.5.
type Refresher struct {
	s  *Session
	id iwbem.RefresherID

	turn   sync.Mutex
	items  []*refreshed
	last   int
	remote *dcom.Proxy   // IWbemRemoteRefresher, nil where nothing needs it
	guid   security.GUID // of what the host has behind it
	closed bool
}

// refreshed is an object or an enumeration of a Refresher.
type refreshed struct {
	id     int
	path   cim.ObjectPath
	enum   bool                // all instances of path.Class
	blobs  *wmio.InstanceBlobs // nil where the client reads it itself
	cancel uint32              // the number that the host knows it by
}

// Refreshed is what a refresh gave of an object or an enumeration.
type Refreshed struct {
	ID        int             // as AddObject or AddEnum gave it
	Instances []*cim.Instance // of an object one
	Err       error           // why there are none
}

// NewRefresher makes a refresher of the session's namespace, which is empty.
func (s *Session) NewRefresher() *Refresher {
	r := &Refresher{s: s, id: iwbem.RefresherID{Machine: iwbem.String{Text: s.c.machineName()}, Process: uint32(os.Getpid())}}
	rand.Read(r.id.GUID[:]) //nolint:errcheck // never fails
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed = s.closed; !r.closed {
		if s.others == nil {
			s.others = map[io.Closer]struct{}{}
		}
		s.others[r] = struct{}{}
	}
	return r
}

// AddObject adds an instance and gives its number: ErrNotFound, ErrInvalidObjectPath.
func (r *Refresher) AddObject(ctx context.Context, path cim.ObjectPath) (int, error) {
	return r.add(ctx, &refreshed{path: path}, "AddObjectToRefresher", iwbem.OpAddObjectToRefresher)
}

// AddEnum adds all instances of a class and gives its number: ErrInvalidClass.
func (r *Refresher) AddEnum(ctx context.Context, class string) (int, error) {
	return r.add(ctx, &refreshed{path: cim.ObjectPath{Class: class}, enum: true}, "AddEnumToRefresher", iwbem.OpAddEnumToRefresher)
}

// add asks the host how an item is refreshed. See [MS-WMI] 3.1.4.12.1 and 3.1.4.12.3.
func (r *Refresher) add(ctx context.Context, item *refreshed, operation string, opnum uint16) (int, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	err := r.usable()
	if err == nil {
		in := &iwbem.AddToRefresherRequest{Refresher: r.id, Path: item.path.Relative(), Version: iwbem.RefresherVersion}
		out := &iwbem.RefreshInfoResponse{}
		err = r.services(ctx, operation, opnum, in, out, func(p *dcom.Proxy) error { return r.take(ctx, item, p, &out.Info) })
	}
	if err != nil {
		return 0, r.s.fail(operation, item.path.Relative(), err)
	}
	r.last++
	item.id = r.last
	r.items = append(r.items, item)
	return item.id, nil
}

// services makes a call of IWbemRefreshingServices, and then calls the answer's own f.
func (r *Refresher) services(ctx context.Context, operation string, opnum uint16, in ndr.Marshaler, out iwbem.Response, f func(p *dcom.Proxy) error) error {
	var p *dcom.Proxy
	err := r.s.do(ctx, "", func(services *Services) (err error) {
		if p, err = services.p.QueryInterface(ctx, wmi.IIDRefreshingServices); err != nil {
			return ended(ctx, err)
		}
		return r.s.c.call(ctx, p, "IWbemRefreshingServices::"+operation, opnum, in, out)
	})
	if p != nil {
		defer r.s.c.release(ctx, p)
	}
	if err != nil {
		return err
	}
	return f(p)
}

// take learns from an answer how an item is refreshed.
func (r *Refresher) take(ctx context.Context, item *refreshed, p *dcom.Proxy, info *iwbem.RefreshInfo) error {
	if info.Type != iwbem.RefreshRemote {
		return nil
	}
	remote, err := unmarshal(ctx, p, info.Refresher)
	if err != nil {
		return err
	}
	template, err := r.s.c.decode(info.Template)
	if err == nil {
		item.blobs, err = r.s.c.codec.NewInstanceBlobs(template.Class())
	}
	if item.cancel = info.CancelID; err != nil || r.remote != nil {
		r.s.c.release(ctx, remote)
		return err
	}
	r.remote, r.guid = remote, info.GUID
	return nil
}

// Refresh reads everything anew, in the order in which it was added. What cannot be read has an error of its own; the error of Refresh is that of the
// whole: ErrRefresherBusy, ErrTransportFailure. Where the host's service has started anew in between, what it refreshes is added again.
func (r *Refresher) Refresh(ctx context.Context) ([]Refreshed, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	if err := r.usable(); err != nil {
		return nil, r.s.fail("RemoteRefresh", "", err)
	}
	objects, err := r.refresh(ctx)
	if isGone(err) {
		if err = r.reconnect(ctx); err == nil {
			objects, err = r.refresh(ctx)
		}
	}
	if err != nil {
		return nil, r.s.fail("RemoteRefresh", "", err)
	}
	list := make([]Refreshed, 0, len(r.items))
	for _, item := range r.items {
		one := Refreshed{ID: item.id}
		if item.blobs == nil {
			one.Instances, one.Err = r.read(ctx, item)
		} else {
			one.Instances, one.Err = item.find(objects)
			one.Err = r.s.fail("RemoteRefresh", item.path.Relative(), one.Err)
		}
		list = append(list, one)
	}
	return list, nil
}

// refresh asks the host for what it refreshes. See [MS-WMI] 3.1.4.13.1.
func (r *Refresher) refresh(ctx context.Context) ([]iwbem.RefreshedObject, error) {
	if r.remote == nil {
		return nil, nil
	}
	out := &iwbem.RemoteRefreshResponse{}
	err := r.s.c.call(ctx, r.remote, "IWbemRemoteRefresher::RemoteRefresh", iwbem.OpRemoteRefresh, &iwbem.RemoteRefreshRequest{}, out)
	return out.Objects, err
}

// find reads the blob of an item.
func (i *refreshed) find(objects []iwbem.RefreshedObject) ([]*cim.Instance, error) {
	for _, o := range objects {
		if o.RequestID != i.cancel {
			continue
		}
		switch {
		case o.Type == iwbem.BlobEnum && i.enum:
			return i.blobs.DecodeEnum(o.Blob)
		case o.Type == iwbem.BlobAll && !i.enum:
			one, err := i.blobs.Decode(o.Blob)
			return []*cim.Instance{one}, err
		}
		return nil, &cim.Error{Status: cim.ErrFailed, Detail: "the host could not refresh it", Remote: true}
	}
	return nil, &cim.Error{Status: cim.ErrNotFound, Detail: "the host did not refresh it", Remote: true}
}

// read is the refresh of what the host does not refresh.
func (r *Refresher) read(ctx context.Context, item *refreshed) ([]*cim.Instance, error) {
	if !item.enum {
		i, err := r.s.Get(ctx, item.path, cim.GetOptions{})
		if err != nil {
			return nil, err
		}
		return []*cim.Instance{i}, nil
	}
	e, err := r.s.Enumerate(ctx, item.path.Class, cim.EnumerateOptions{})
	if err != nil {
		return nil, err
	}
	return cim.Collect(ctx, e)
}

// reconnect finds the refresher again after the connection, or the service, was lost. See [MS-WMI] 3.2.4.5.3 and 3.2.4.5.4.
func (r *Refresher) reconnect(ctx context.Context) error {
	r.s.c.release(ctx, r.remote)
	r.remote = nil
	out := &iwbem.GetRemoteRefresherResponse{}
	err := r.services(ctx, "GetRemoteRefresher", iwbem.OpGetRemoteRefresher, &iwbem.GetRemoteRefresherRequest{Refresher: r.id, Version: iwbem.RefresherVersion}, out,
		func(p *dcom.Proxy) (err error) {
			r.remote, err = unmarshal(ctx, p, out.Refresher)
			return err
		})
	if err != nil || out.GUID == r.guid {
		return err
	}
	in := &iwbem.ReconnectRemoteRefresherRequest{Refresher: r.id, Version: iwbem.RefresherVersion}
	var items []*refreshed
	for _, item := range r.items {
		if item.blobs == nil {
			continue
		}
		info := iwbem.ReconnectInfo{Path: iwbem.String{Text: item.path.Relative()}}
		if item.enum {
			info.Type = 1
		}
		items, in.Infos, in.Results = append(items, item), append(in.Infos, info), append(in.Results, iwbem.ReconnectResult{})
	}
	again := &iwbem.ReconnectRemoteRefresherResponse{}
	return r.services(ctx, "ReconnectRemoteRefresher", iwbem.OpReconnectRemoteRefresher, in, again, func(*dcom.Proxy) error {
		if len(again.Results) != len(items) {
			return &cim.Error{Status: cim.ErrTransportFailure, Detail: "the host answered for another number of objects", Remote: true}
		}
		r.guid = out.GUID
		for n, item := range items {
			item.cancel = again.Results[n].ID // of one that failed 0, which is never refreshed
		}
		return nil
	})
}

// Remove removes an object or an enumeration. See [MS-WMI] 3.1.4.13.2.
func (r *Refresher) Remove(ctx context.Context, id int) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	for n, item := range r.items {
		if item.id != id {
			continue
		}
		r.items = append(r.items[:n:n], r.items[n+1:]...)
		if item.blobs == nil || r.remote == nil {
			return nil
		}
		in := &iwbem.StopRefreshingRequest{IDs: []uint32{item.cancel}}
		err := r.s.c.call(ctx, r.remote, "IWbemRemoteRefresher::StopRefreshing", iwbem.OpStopRefreshing, in, &iwbem.StopRefreshingResponse{})
		return r.s.fail("StopRefreshing", item.path.Relative(), err)
	}
	return r.s.fail("StopRefreshing", "", &cim.Error{Status: cim.ErrNotFound, Detail: "nothing is refreshed under that number"})
}

// Close gives back what the host has for the refresher.
func (r *Refresher) Close() error {
	r.s.mu.Lock()
	delete(r.s.others, r)
	r.s.mu.Unlock()
	r.turn.Lock()
	defer r.turn.Unlock()
	r.closed, r.items = true, nil
	r.s.c.release(context.Background(), r.remote)
	r.remote = nil
	return nil
}

func (r *Refresher) usable() error {
	if r.closed {
		return &cim.Error{Status: cim.ErrShuttingDown, Detail: "the refresher is closed"}
	}
	return nil
}
